import { copyFile, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { type Ended, runBundle } from '../support/bundle-process.ts';
import { describeWith } from '../support/needs.ts';
import {
  makeReleaseIn,
  type PackableRelease,
  packableRelease,
} from '../support/packable-release.ts';

const NAME = 'ocp-4.17.3-x86_64.tar.zst';

/** What somebody reads who has a bundle that is not as it was packed, and does as they are told. */
describeWith(['docker-registry'], 'a damaged bundle', () => {
  let release: PackableRelease;
  let options: Parameters<typeof packableRelease>[1];
  let whole: Buffer;
  const at = (...path: string[]): string => join(release.folder, ...path);
  const bundle = (...args: string[]): Promise<Ended> =>
    runBundle([...args, ...(args[0] === 'pack' ? [] : release.trust)], { folder: release.folder });
  const made = async (name: string, change: (bytes: Buffer) => Uint8Array): Promise<string> => {
    await execa('mkdir', ['-p', at(name)]);
    await writeFile(at(name, NAME), change(Buffer.from(whole)));
    return at(name);
  };
  const flipped = (bytes: Buffer, ...shares: number[]): Buffer => {
    for (const share of shares) bytes[Math.floor(bytes.length * share)]! ^= 1;
    return bytes;
  };
  /** The one command of a message that begins so, run as it is printed but for what it leaves open. */
  const follow = async (
    message: string,
    beginning: string,
    open: Readonly<Record<string, string>> = {},
  ): Promise<Ended['status']> => {
    const lines = message
      .split('\n')
      .filter((line) => line.startsWith(`  ${beginning}`))
      .filter((line) => line.includes(' PATCH ') === 'PATCH' in open);
    expect(lines).toHaveLength(1);
    const typed = Object.entries(open).reduce(
      (line, [word, value]) => line.replace(` ${word}`, ` ${value}`),
      lines[0]!,
    );
    const program = `bundle() { "${process.execPath}" "${projectPath('dist/bin.js')}" "$@"; }`;
    const env = { HOME: at('home'), PATH: process.env['PATH'] ?? '' };
    const ran = await execa('sh', ['-c', `${program}\n${typed}`], {
      ...{ cwd: release.folder, env, extendEnv: false, reject: false },
    });
    return ran.exitCode ?? null;
  };
  /** Options of the pack that no message on the closed side can know. */
  const asPacked = (folder: string): string =>
    [folder, ...release.packing().slice(2)].map((word) => `'${word}'`).join(' ');

  beforeAll(async () => {
    options = { components: 12, scale: 0.0005, signer: await makeReleaseSigner() };
    release = await packableRelease('words', options);
    const packed = await bundle(...release.packing(), '-o', at('usb'));
    expect(packed.status).toBe(0);
    whole = await readFile(at('usb', NAME));
  });
  afterAll(() => release.remove());

  it('has a verdict first, each fault and each image once, and all of them with --verbose', async () => {
    const folder = await made('bad', (bytes) => flipped(bytes, 0.4, 0.6, 0.8));
    const { status, stderr } = await bundle('verify', folder);
    expect(status).toBe(20);
    const lines = stderr.slice(stderr.indexOf('bundle: ')).split('\n');
    expect(lines[0]).toMatch(
      /^bundle: the bundle is DAMAGED: .* of [0-9]+ configs and layers are damaged /,
    );
    expect(lines[1]).toMatch(
      /^ {2}faults: .*[0-9]+ bytes from byte [0-9]+: the blob sha256:[0-9a-f]{64} has a wrong digest: its content has sha256:[0-9a-f]{64}$/,
    );
    expect(lines[1]!.match(/sha256:/g)).toHaveLength(2);
    const brief = stderr.split('\n').filter((line) => line.includes(' 4.17.3-x86_64'));
    expect(brief).toHaveLength(5);
    expect(stderr).toContain('(--verbose lists all)');
    const all = (await bundle('verify', folder, '--verbose')).stderr;
    const images = all.split('\n').filter((line) => /^ {2}(images:| {7}) {2,}4\.17\.3-/.test(line));
    expect(images.length).toBeGreaterThan(5);
    expect(new Set(images.map((line) => line.slice(12))).size).toBe(images.length);
    expect(all).not.toContain('more (');
  });

  it('is mended by the commands that are printed, from the list of damage to the push', async () => {
    const folder = await made('journey', (bytes) => flipped(bytes, 0.85));
    const unpacked = await bundle('unpack', folder, '--to', `oci:${at('half')}`);
    expect(unpacked.status).toBe(20);
    // Which images are complete by then depends on which of several uploads ends first.
    expect(unpacked.stderr).toMatch(
      /([0-9]+ of 13 images (is|are)|no image is complete) at oci:.*; no release tag was set\./,
    );
    expect(unpacked.stderr).not.toContain('when the cause is mended');
    expect(unpacked.stderr).toContain(`; it came from ${join(folder, NAME)}`);
    expect(await follow(unpacked.stderr, 'bundle verify ')).toBe(20);
    const pack = { FOLDER: asPacked(at('patch')) };
    expect(await follow(unpacked.stderr, 'bundle pack 4.17.3 --arch x86_64 ', pack)).toBe(0);
    const patch = at(
      'patch',
      (await readdir(at('patch'))).find((name) => name.endsWith('.zst'))!,
    );
    const good = await bundle('verify', folder, patch);
    expect(good.status).toBe(20);
    expect(good.stderr).toContain(
      'the bundle is DAMAGED, but the patch given here mends all of it: ',
    );
    expect(good.stderr).toContain('What is damaged is in the patch that was given.');
    expect(good.stderr).not.toContain('bundle pack');
    expect(await follow(good.stderr, 'bundle repair ', { FOLDER: at('mended') })).toBe(0);
    expect((await readFile(at('mended', NAME))).equals(whole)).toBe(true);
    expect(
      await follow(good.stderr, 'bundle unpack ', { 'REGISTRY/NAMESPACE': `oci:${at('half')}` }),
    ).toBe(0);

    // What a target has of a bundle that is cut off is not needed from it.
    const cut = await made('cut-short', (bytes) => bytes.subarray(0, -100_000));
    const completed = await bundle('unpack', cut, '--to', `oci:${at('half')}`, '--partial');
    expect(completed.status).toBe(0);
    expect(completed.stdout).toContain('everything was there already');

    const more = await made('more', (bytes) => flipped(bytes, 0.85, 0.92, 0.97));
    const lacking = await bundle('verify', more, patch);
    expect(lacking.stderr).toMatch(
      /holds 1 blob of this bundle, but not [12] others? that (is|are)/,
    );
    for (const args of [
      ['unpack', more, patch, '--to', `oci:${at('more-target')}`],
      ['repair', more, patch, '-o', at('deep', 'more-mended')],
    ]) {
      const { status, stderr } = await bundle(...args);
      expect(status).toBe(20);
      expect(stderr).toContain('holds 1 blob of this bundle, but not all that is damaged');
      expect(await follow(stderr, 'bundle verify ')).toBe(20);
    }
  });

  it('of which no image is damaged is repaired or pushed as it is, and needs no patch', async () => {
    for (const [name, change] of [
      ['short', (bytes: Buffer) => bytes.subarray(0, -10)],
      ['long', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(100)])],
      ['head', (bytes: Buffer) => ((bytes[100]! ^= 1), bytes)],
    ] as const) {
      const folder = await made(name, change);
      const target = `oci:${at(`${name}-target`)}`;
      for (const args of [
        ['verify', folder],
        ['unpack', folder, '--to', target],
      ]) {
        const { status, stderr } = await bundle(...args);
        expect(status).toBe(22);
        expect(stderr).toContain('No image is damaged');
        expect(stderr).not.toContain('patch');
        const mended = at(`${name}-${args[0]!}`);
        expect(await follow(stderr, 'bundle repair ', { FOLDER: mended })).toBe(0);
        expect((await readFile(join(mended, NAME))).equals(whole)).toBe(true);
      }
      expect((await bundle('unpack', folder, '--to', target, '--partial')).status).toBe(0);
      // What unpack has taken, the commands that only read take too.
      const resources = await bundle(
        ...['resources', folder, '--to', 'registry.example.com/ocp', '--dry-run'],
      );
      expect(resources.status).toBe(0);
      expect(resources.stderr).toContain('the bundle is damaged: ');
      const extracted = await bundle('extract', folder, '--file', 'release-metadata');
      expect(extracted.status).toBe(0);
      expect(extracted.stdout).toContain('4.17.3');
    }
  });

  it('whose list of images is damaged says so, and what that means for --partial', async () => {
    const folder = await made('metadata', (bytes) => bytes.fill(0x5a, 4, 12_000));
    const verified = await bundle('verify', folder);
    expect(verified.status).toBe(22);
    expect(verified.stderr).toMatch(/: manifests in it are damaged, and 13 of 13 images need them/);
    expect(verified.stderr).not.toMatch(/are good|No image is damaged/);
    const map = at('metadata.json');
    expect((await bundle('verify', folder, '--damage', map)).status).toBe(22);
    const { status } = await bundle(...release.packing(), '--repair', map, '-o', at('listing'));
    expect(status).toBe(0);
    const patched = await bundle('verify', folder, at('listing'));
    expect(patched.status).toBe(22);
    expect(patched.stderr).toContain('What is damaged is in the patch that was given.');
    expect(
      await follow(patched.stderr, 'bundle unpack ', { 'REGISTRY/NAMESPACE': `oci:${at('l')}` }),
    ).toBe(0);
    for (const verb of [['unpack', '--to', `oci:${at('none')}`, '--partial'], ['resources']]) {
      const more = verb[0] === 'resources' ? ['--to', 'registry.example.com/ocp'] : [];
      const refused = await bundle(verb[0]!, folder, ...verb.slice(1), ...more);
      expect(refused.status).toBe(22);
      expect(refused.stderr).toContain('not even with --partial: manifests of the images are');
    }
  });

  it('with one damaged release gives out the others, and says which one it is', async () => {
    const newer = await makeReleaseIn(release.source, at('newer'), {
      ...{ ...options, version: '4.17.4', seed: 'another' },
    });
    const [verb, version, ...rest] = release.packing();
    const { status } = await bundle(
      ...[verb!, version!, '4.17.4', ...rest, '--signature-store', newer.signatureStore],
      ...['-o', at('pair')],
    );
    expect(status).toBe(0);
    const name = (await readdir(at('pair'))).find((file) => file.endsWith('.zst'))!;
    const bytes = await readFile(at('pair', name));
    // The payload of the second release is behind that of the first.
    await writeFile(at('pair', name), flipped(bytes, 0.5));
    const target = `oci:${at('pair-target')}`;
    const verified = await bundle('verify', at('pair'));
    expect(verified.status).toBe(20);
    expect(verified.stderr).toContain(
      '1 of 58 configs and layers is damaged or missing, and 13 of 26 images',
    );
    expect(verified.stderr).toContain(
      'the damage is in the image that names all others: of a release, the release image.',
    );
    expect(verified.stderr).toContain('Bring the patch here, and unpack both together:');
    for (const more of [['--partial'], ['--partial', '--release', '4.17.4'], []]) {
      const refused = await bundle('unpack', at('pair'), '--to', target, ...more);
      expect(refused.status).toBe(20);
      expect(refused.stderr).toContain('4.17.4 for x86_64 cannot be unpacked, not even with');
    }
    const all = await bundle('unpack', at('pair'), '--to', target, '--partial');
    expect(await follow(all.stderr, 'bundle unpack ', { 'REGISTRY/NAMESPACE': target })).toBe(0);
    expect((await bundle('verify', at('usb'), '--at', target)).status).toBe(0);
    for (const [release_, expected] of [
      ['4.17.3', 0],
      ['4.17.4', 20],
    ] as const) {
      const { status: ended } = await bundle(
        ...['resources', at('pair'), '--to', 'registry.example.com/ocp', '--dry-run'],
        ...['--release', release_],
      );
      expect(ended).toBe(expected);
    }
    const shown = await bundle('inspect', at('pair'));
    expect(shown.stdout).toContain('NOT PROVEN: what proves 4.17.4 for x86_64 is damaged');
    expect(
      (await bundle('unpack', at('pair'), '--to', target, ...['--partial', '--expect', '4.17.4']))
        .status,
    ).toBe(20);
  });

  it('is not told from others by guessing: each that is named once', async () => {
    await execa('mkdir', ['-p', at('two')]);
    const other = at('two', 'ocp-4.17.9-x86_64.tar.zst');
    await writeFile(other, whole);
    const two = await bundle('verify', at('usb'), other);
    expect(two.status).toBe(2);
    expect(two.stderr).toContain('the command line names 2 bundles: name one');
    const twice = await bundle('verify', at('usb'), await made('copy', (bytes) => bytes));
    expect(twice.status).toBe(22);
    expect(twice.stderr).toContain('are copies of the same bundle');
    expect(twice.stderr).not.toContain('head:');
    const none = await bundle('verify', await made('zeros', (bytes) => bytes.fill(0, 0, 5_000)));
    expect(none.stderr).not.toContain('is not a bundle');
    const cut = await made('zeros-cut', (bytes) => bytes.fill(0, 0, 5_000).subarray(0, -100_000));
    const { status, stderr } = await bundle('verify', cut);
    expect(status).toBe(22);
    expect(stderr).toContain('is not a bundle, or is damaged');
    expect(stderr).toContain('copy it again');
  });

  it('is not blamed for a key file that is not there', async () => {
    const { status, stderr } = await bundle('verify', at('usb'), '--release-key', at('nowhere'));
    expect(status).toBe(23);
    expect(stderr).toContain(`cannot read ${at('nowhere')}: no such file`);
    const ca = ['--ca-file', at('nowhere')];
    expect((await bundle('unpack', at('usb'), '--to', 'localhost:1/ocp', ...ca)).status).toBe(23);
    const taken = await bundle('verify', at('usb'), '--damage', release.made.releaseKey);
    expect(taken.status).toBe(2);
    expect(taken.stderr).toContain('choose another file name');
  });

  it('that lacks a volume says what that volume is needed for', async () => {
    const size = ['--volume-size', String(Math.ceil(whole.length / 8))];
    expect((await bundle(...release.packing(), '-o', at('set'), ...size)).status).toBe(0);
    for (const [number, said, unsaid] of [
      ['007', 'unpack --partial pushes the others', 'not even with --partial'],
      ['001', 'not even with --partial', 'pushes the others'],
    ] as const) {
      const folder = at(`without-${number}`);
      await cp(at('set'), folder, { recursive: true });
      await rm(join(folder, `${NAME}.${number}`));
      for (const args of [
        ['verify', folder],
        ['unpack', folder, '--to', `oci:${at(`target-${number}`)}`],
        ['repair', folder, '-o', at('none')],
      ]) {
        const { status, stderr } = await bundle(...args);
        expect(status).toBe(22);
        expect(stderr).toContain(said);
        expect(stderr).not.toContain(unsaid);
      }
      await expect(readdir(at('none'))).rejects.toMatchObject({ code: 'ENOENT' });
      expect((await bundle('inspect', folder)).status).toBe(22);
      const { stderr } = await bundle('verify', folder);
      expect(stderr).toContain('NOT COMPLETE');
      await follow(stderr, 'bundle verify ');
      const patches = at(`patch-${number}`);
      expect(await follow(stderr, 'bundle pack ', { FOLDER: asPacked(patches) })).toBe(0);
      expect((await bundle('repair', folder, patches, '-o', at(`mended-${number}`))).status).toBe(
        0,
      );
      expect((await readFile(at(`mended-${number}`, NAME))).equals(whole)).toBe(true);
    }
  });

  it('of which a volume is missing and another is damaged says what to do about each', async () => {
    const folder = at('several');
    await cp(at('set'), folder, { recursive: true });
    await rm(join(folder, `${NAME}.007`));
    const cut = join(folder, `${NAME}.008`);
    const bytes = await readFile(cut);
    await writeFile(cut, bytes.subarray(0, bytes.length / 2));
    for (const args of [
      ['verify', folder],
      ['unpack', folder, '--to', `oci:${at('several-target')}`],
    ]) {
      const { status, stderr } = await bundle(...args);
      expect(status).toBe(22);
      expect(stderr).toContain(
        `Copy ${NAME}.008 again from the connected side, where it was packed. Find ${NAME}.007, and name the folders`,
      );
      expect(stderr).toMatch(/ {2}faults:[^]*\.008 ends at byte[^]*volume 7 is missing/);
    }
    await copyFile(at('set', `${NAME}.007`), join(folder, `${NAME}.007`));
    await writeFile(cut, flipped(bytes, 0.5));
    const { stderr } = await bundle('unpack', folder, '--to', `oci:${at('several-target')}`);
    expect(stderr).toMatch(/; it came from .*\.008/);
    const args = ['--to', `oci:${at('several-target')}`, '--partial'];
    const partly = await bundle('unpack', folder, ...args);
    expect(partly.status).toBe(30);
    // As many as verify says, word by word, whatever waits for them.
    const audited = await bundle('verify', folder);
    const [, need, images] = / (\d+) of (\d+) images needs? (?:it|them)/.exec(audited.stderr)!;
    expect(partly.stdout).toMatch(
      new RegExp(` ${need} of ${images} images needs? what is damaged or missing: `),
    );
    expect(partly.stdout).toContain(' 1 more is held back with them: ');
  });

  it('is said to be none where nothing was, or nothing is left to do', async () => {
    for (const verdict of [
      'Nothing was damaged: wrote 4.17.3 for',
      'Nothing had to be written: ',
    ]) {
      const { status, stdout } = await bundle('repair', at('usb'), '-o', at('whole-again'));
      expect(status).toBe(0);
      expect(stdout).toContain(verdict);
      expect(stdout).not.toContain('Repaired');
    }
  });

  it('leaves no empty folder behind, and a file of earlier damage as it is', async () => {
    const { status } = await bundle(
      'pack',
      '4.99.0',
      ...release.packing().slice(2),
      '-o',
      at('a/b'),
    );
    expect(status).toBe(23);
    await expect(readdir(at('a'))).rejects.toMatchObject({ code: 'ENOENT' });
    const folder = await made('earlier', (bytes) => flipped(bytes, 0.5));
    const map = at('earlier.json');
    expect((await bundle('verify', folder, '--damage', map)).status).toBe(20);
    const before = await readFile(map);
    const { status: good, stderr } = await bundle('verify', at('usb'), '--damage', map);
    expect(good).toBe(0);
    expect(stderr).toContain(`${map} is of an earlier run, and was left as it is`);
    expect((await readFile(map)).equals(before)).toBe(true);
  });

  it('is shown by inspect as far as it can be read, with its status', async () => {
    const half = await made('cut-off', (bytes) => bytes.subarray(0, bytes.length - 100_000));
    const { status, stdout } = await bundle('inspect', half);
    expect(status).toBe(22);
    expect(stdout).toMatch(/^4\.17\.3 for x86_64: .*; DAMAGED\n/);
    expect(stdout).toContain(`ends at byte ${whole.length - 100_000} of ${whole.length}`);
    expect(stdout).toContain('4.17.3-x86_64-');
    // Somewhere behind the listing and before the last manifest.
    let stderr = '';
    for (let size = 5_000; !stderr.includes('  head:') && size < 15_000; size += 1_000) {
      const early = await made('early', (bytes) => bytes.subarray(0, size));
      const inspected = await bundle('inspect', early);
      expect(inspected.status).toBe(22);
      ({ stderr } = inspected);
      expect(stderr).toContain('cut off: it ends');
    }
    expect(stderr).toMatch(/ {2}head: +the bundle digest is [0-9a-f]{64}\n/);
    expect(stderr).toContain('NOT PROVEN');
  });

  it('that was begun with another signature of the release says that only this differs', async () => {
    const folder = at('begun');
    expect((await bundle(...release.packing(), '-o', folder)).status).toBe(0);
    const again = await makeReleaseIn(release.source, at('again'), options);
    const args = release
      .packing()
      .map((word) => (word === release.made.signatureStore ? again.signatureStore : word));
    const { status, stderr } = await bundle(...args, '-o', folder);
    expect(status).toBe(2);
    expect(stderr).toMatch(/with other content: the images are the same, but not .*sig/);
  });

  it('that is empty is no matter of a pipe', async () => {
    const { status, stderr } = await bundle('verify', await made('nothing', () => Buffer.alloc(0)));
    expect(status).toBe(22);
    expect(stderr).toContain('copy the bundle again');
    expect(stderr).not.toContain('pipe');
  });
});
