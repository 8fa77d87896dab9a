import { createReadStream } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { hexOf } from '../../src/core/digest.ts';
import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { type Ended, runBundle, startBundle } from '../support/bundle-process.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { wholeTags } from '../support/killed-runs.ts';
import { describeWith } from '../support/needs.ts';
import { bundleIn, listingOf } from '../support/opened-bundle.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { type Ran, temporaryFolder, User } from '../support/user.ts';

/** A release that a site has, and the next one, which leaves out what both share. */
describeWith(['docker-registry'], 'an increment', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  const targets: TestRegistry[] = [];
  let packer: User;
  let operator: User;
  let made: MadeRelease;
  let packing: readonly string[];
  let sources: (host: string) => readonly string[];
  let trust: readonly string[];
  let since: readonly string[];
  let base: string;
  let next: string;
  /** What has a tag where the base and then the increment were unpacked undisturbed. */
  let wanted: ReadonlyMap<string, string>;

  const place = (name: string): string => join(temporary.path, name);
  const pack = (out: string, ...more: readonly string[]): Promise<Ran> =>
    packer.bundle([...packing, '-o', out === '-' ? out : place(out), ...more]);
  const newTarget = async (): Promise<TestRegistry> => {
    const target = await startRegistry();
    targets.push(target);
    return target;
  };
  const unpacking = (to: string, ...files: readonly string[]): readonly string[] => [
    ...['unpack', ...files, '--to', to, '--resources-dir', place('resources'), ...trust],
  ];
  const unpacked = async (to: string, ...files: readonly string[]): Promise<void> => {
    const ran = await operator.bundle(unpacking(to, ...files));
    expect(ran.status, ran.stderr).toBe(0);
  };
  /** A registry that has the base. */
  const withBase = async (): Promise<TestRegistry> => {
    const target = await newTarget();
    await unpacked(`${target.host}/ocp4`, base);
    return target;
  };
  const read = (args: readonly string[], input: Readable): Promise<Ended> =>
    runBundle(args, { folder: operator.folder, input });
  const isSame = async (path: string, other: string): Promise<boolean> =>
    (await readFile(path)).equals(await readFile(other));

  beforeAll(async () => {
    temporary = await temporaryFolder('increments-ways');
    source = await startRegistry();
    packer = await User.new(place('connected'));
    operator = await User.new(place('closed'));
    const signer = await makeReleaseSigner();
    const of = { signer, components: 5, scale: 0.0002 };
    const first = await makeReleaseIn(source, place('release-4.17.3'), {
      ...{ ...of, version: '4.17.3' },
    });
    made = await makeReleaseIn(source, place('release-4.17.4'), {
      ...{ ...of, version: '4.17.4', rebuild: { name: 'again', share: 0.5 } },
    });
    await packer.bundle(['keygen', '--type', 'ed25519', '-o', place('packer.pem')]);
    await operator.bundle(['keygen', '--type', 'ed25519', '-o', place('site.pem')]);
    const stores = [first, made].flatMap((one) => ['--signature-store', one.signatureStore]);
    const own = ['--key', place('packer.pem'), '--release-key', made.releaseKey];
    sources = (host) => ['--mirror', `quay.io=${host}`, ...stores, ...own];
    trust = ['--release-key', made.releaseKey, '--trusted-key', place('packer.pub')];
    since = ['--since-last', 'plant-a', '--trusted-key', place('site.pub')];
    packing = ['pack', '4.17.3', ...sources(source.host)];
    expect(await pack('base')).toMatchObject({ status: 0 });
    base = await bundleIn(place('base'));
    const target = await newTarget();
    const receipt = ['--receipt', place('receipts'), '--receipt-key', place('site.pem')];
    await operator.json([
      ...unpacking(`${target.host}/ocp4`, base),
      ...[...receipt, '--site', 'plant-a'],
    ]);
    const [name] = await readdir(place('receipts'));
    await packer.json(['history', 'import', join(place('receipts'), name!), ...since.slice(2)]);
    packing = ['pack', '4.17.4', ...sources(source.host)];
    expect(await pack('next', ...since)).toMatchObject({ status: 0 });
    next = await bundleIn(place('next'));
    const { requires = [], blobs } = await listingOf(next);
    expect(requires).toHaveLength(1);
    expect(blobs.length).toBeGreaterThan(3);
    await unpacked(`${target.host}/ocp4`, next);
    wanted = await wholeTags(target);
    expect([...wanted.keys()].some((tag) => tag.includes('4.17.4'))).toBe(true);
  });
  afterAll(async () => {
    for (const target of targets) await target.stop();
    await source.stop();
    await temporary.remove();
  });

  it('goes through a pipe, by each way to name its baseline', async () => {
    const [name] = await readdir(place('receipts'));
    const receipt = ['--baseline', join(place('receipts'), name!), ...since.slice(2)];
    for (const baseline of [since, receipt]) {
      const chunks: Buffer[] = [];
      const take = (stdout: Readable): unknown =>
        stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      const args = [...packing, '-o', '-', ...baseline];
      const { ended } = await startBundle(args, { folder: packer.folder, output: take });
      expect(await ended).toMatchObject({ status: 0 });
      expect(Buffer.concat(chunks).equals(await readFile(next))).toBe(true);
    }
    for (const command of ['verify', 'inspect'])
      expect(await read([command, '-', ...trust], createReadStream(next))).toMatchObject({
        status: 0,
      });
    const empty = await newTarget();
    const refused = await read(unpacking(`${empty.host}/ocp4`, '-'), createReadStream(next));
    expect(refused.status, refused.stdout).toBe(22);
    expect(refused.stderr).toContain('nothing was pushed');
    expect(await wholeTags(empty)).toEqual(new Map());
    const target = await withBase();
    const ran = await read(unpacking(`${target.host}/ocp4`, '-'), createReadStream(next));
    expect(ran.status, ran.stderr).toBe(0);
    expect(await wholeTags(target)).toEqual(wanted);
  });

  it('comes in volumes, and not without one of them', async () => {
    const size = Math.ceil((await stat(next)).size / 3);
    const ran = await pack('volumes', ...since, '--volume-size', String(size));
    expect(ran.status, ran.stderr).toBe(0);
    const names = (await readdir(place('volumes'))).filter((name) => /\.\d{3}$/.test(name)).sort();
    expect(names.length).toBeGreaterThan(2);
    const target = await withBase();
    const before = await wholeTags(target);
    for (const lost of names.slice(0, 2)) {
      await rename(join(place('volumes'), lost), place(lost));
      const refused = await operator.bundle(unpacking(`${target.host}/ocp4`, place('volumes')));
      expect(refused.status, refused.stdout).toBe(22);
      expect(await wholeTags(target)).toEqual(before);
      await rename(place(lost), join(place('volumes'), lost));
    }
    await unpacked(`${target.host}/ocp4`, place('volumes'));
    expect(await wholeTags(target)).toEqual(wanted);
  });

  it('goes into an image layout that has the base, and into no other', async () => {
    const into = (to: string, file: string): Promise<Ran> =>
      operator.bundle(['unpack', file, '--to', to, ...trust]);
    const refused = await into(`oci:${place('layout-empty')}`, next);
    expect(refused.status, refused.stdout).toBe(22);
    expect(refused.stderr).toContain('nothing was pushed');
    const to = `oci:${place('layout')}`;
    for (const file of [base, next]) {
      const ran = await into(to, file);
      expect(ran.status, ran.stderr).toBe(0);
    }
    const deep = await operator.bundle(['verify', next, '--at', to, '--deep', ...trust]);
    expect(deep.status, deep.stdout + deep.stderr).toBe(0);
  });

  it('takes what it leaves out from where its history knows it, in the same namespace', async () => {
    const { reference, digest } = made.components[0]!;
    const image = (path: string): readonly string[] => ['--image', `${reference}=${path}:1`];
    const signed = sources(source.host);
    const packed = async (out: string, ...more: readonly string[]): Promise<string> => {
      const ran = await packer.bundle(['pack', '-o', place(out), ...signed, ...more]);
      expect(ran.status, ran.stderr).toBe(0);
      return bundleIn(place(out));
    };
    const earlier = await packed('image', ...image('team/tool'));
    const assume = ['--assume-delivered', earlier, ...trust.slice(2)];
    const later = await packed('image-again', ...image('mine/copy'), ...assume);
    const target = await newTarget();
    const to = `${target.host}/site`;
    const receipt = ['--receipt', place('image-receipts'), '--receipt-key', place('site.pem')];
    const unnamed = await operator.bundle([...unpacking(to, earlier), ...receipt]);
    expect(unnamed.status).toBe(2);
    expect(unnamed.stderr).toContain('about other targets, of plant-a');
    const named = [...receipt, '--site', 'plant-images'];
    const ran = await operator.bundle([...unpacking(to, earlier), ...named]);
    expect(ran.status, ran.stderr).toBe(0);
    // Who has no history of that does not know where to look.
    const other = await User.new(place('other'));
    expect(await other.bundle(unpacking(to, later))).toMatchObject({ status: 22 });
    const elsewhere = await operator.bundle(unpacking(`${target.host}/second`, later));
    expect(elsewhere.status).toBe(22);
    expect(elsewhere.stderr).toContain('to the same target');
    const proxy = await startFaultProxy(target.url);
    try {
      await unpacked(`${proxy.host}/site`, later);
      expect(proxy.seen(/^POST .*mount=.*from=site%2Fteam%2Ftool/).length).toBeGreaterThan(0);
      expect(proxy.seen(/^(?:PUT|PATCH) .*\/blobs\//)).toEqual([]);
    } finally {
      await proxy.stop();
    }
    const tags = await wholeTags(target);
    expect(tags.get('site/mine/copy:1')).toBe(digest);
  });

  /** Runs a command, and kills it when the proxy sees the request of this number. */
  const killedAt = async (
    { url, user }: { url: string; user: User },
    of: (host: string) => readonly string[],
    { pattern, nth }: { pattern: RegExp; nth: number },
  ): Promise<void> => {
    let seen = 0;
    let kill = (): unknown => undefined;
    const proxy = await startFaultProxy(url, (request) => {
      if (pattern.test(`${request.method} ${request.url}`) && (seen += 1) >= nth) kill();
      return undefined;
    });
    try {
      const { child, ended } = await startBundle(of(proxy.host), { folder: user.folder });
      kill = () => child.kill('SIGKILL');
      expect(await ended).toMatchObject({ signal: 'SIGKILL' });
    } finally {
      await proxy.stop();
    }
  };

  it('is packed to the same bytes after a kill at a blob', async () => {
    const { blobs, requires } = await listingOf(next);
    for (const nth of [1, 3]) {
      const out = ['-o', place(`killed-${nth}`), ...since];
      const user = await User.new(place(`killed-${nth}-user`));
      await cp(packer.home, user.home, { recursive: true });
      await user.bundle(['cache', 'clear']);
      await killedAt(
        { url: source.url, user },
        (host) => ['pack', '4.17.4', ...sources(host), ...out],
        { pattern: /^GET .*\/blobs\//, nth },
      );
      const again = await user.bundle([...packing, ...out]);
      expect(again.status, again.stderr).toBe(0);
      const file = await bundleIn(place(`killed-${nth}`));
      expect(await listingOf(file)).toMatchObject({ blobs, requires });
      expect(await isSame(file, next)).toBe(true);
      expect(await readdir(place(`killed-${nth}`))).toEqual(await readdir(place('next')));
    }
  });

  it('is unpacked to the same state after a kill at a blob', async () => {
    for (const moment of [
      { pattern: /^(?:GET|HEAD) .*\/blobs\//, nth: 2 },
      { pattern: /^POST .*\/blobs\/uploads\//, nth: 2 },
      { pattern: /^PUT .*\/manifests\//, nth: 2 },
    ]) {
      const target = await withBase();
      await killedAt(
        { url: target.url, user: operator },
        (host) => unpacking(`${host}/ocp4`, next),
        moment,
      );
      await wholeTags(target); // which refuses a tag of what is not whole
      await unpacked(`${target.host}/ocp4`, next);
      expect(await wholeTags(target)).toEqual(wanted);
    }
  });

  it('is mended by a patch of the same baselines, and the command for it is printed', async () => {
    const bytes = await readFile(next);
    await mkdir(place('scratched'));
    const path = join(place('scratched'), basename(next));
    const bad = Buffer.from(bytes);
    bad[bytes.length >> 1]! ^= 1;
    await writeFile(path, bad);
    const map = place('damage.json');
    const found = await operator.bundle(['verify', path, ...trust, '--damage', map]);
    expect(found.status, found.stderr).toBe(20);
    const { requires = [] } = await listingOf(next);
    expect(found.stdout + found.stderr).toContain(`--baseline ${hexOf(requires[0]!.bundle)}`);

    const without = await pack('patch', '--repair', map, '--no-history');
    expect(without.status).toBe(2);
    expect(without.stderr).toContain('--baseline');
    const known = await pack('patch-of-known', '--repair', map);
    expect(known.status, known.stderr).toBe(0);
    for (const [out, ...baseline] of [
      ['patch', ...since, '--no-history'],
      ['patch-as-printed', '--baseline', hexOf(requires[0]!.bundle), ...since.slice(2)],
    ] as const) {
      const patched = await pack(out, '--repair', map, ...baseline);
      expect(patched.status, patched.stderr).toBe(0);
    }
    const patch = await bundleIn(place('patch'));
    for (const same of ['patch-as-printed', 'patch-of-known'])
      expect(basename(await bundleIn(place(same)))).toBe(basename(patch));
    expect((await stat(patch)).size).toBeLessThan(bytes.length);
    const repaired = await operator.bundle([
      ...['repair', path, patch, '-o', place('repaired'), ...trust],
    ]);
    expect(repaired.status, repaired.stderr).toBe(0);
    expect(await isSame(await bundleIn(place('repaired')), next)).toBe(true);
    const target = await withBase();
    await unpacked(`${target.host}/ocp4`, path, patch);
    expect(await wholeTags(target)).toEqual(wanted);
  });
});
