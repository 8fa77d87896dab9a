import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { makeRelease } from '../../scripts/lib/make-release.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { type TwoSides, twoSides } from '../support/two-sides.ts';

const VERSION = '4.17.3';

const ALL = [
  'ccoctl-linux-4.17.3.tar.gz',
  'ccoctl-linux-rhel8-4.17.3.tar.gz',
  'ccoctl-linux-rhel9-4.17.3.tar.gz',
  'openshift-client-linux-4.17.3.tar.gz',
  'openshift-client-linux-amd64-rhel8-4.17.3.tar.gz',
  'openshift-client-linux-amd64-rhel9-4.17.3.tar.gz',
  'openshift-client-linux-arm64-4.17.3.tar.gz',
  'openshift-client-linux-arm64-rhel8-4.17.3.tar.gz',
  'openshift-client-linux-arm64-rhel9-4.17.3.tar.gz',
  'openshift-client-linux-ppc64le-4.17.3.tar.gz',
  'openshift-client-linux-ppc64le-rhel8-4.17.3.tar.gz',
  'openshift-client-linux-ppc64le-rhel9-4.17.3.tar.gz',
  'openshift-client-linux-s390x-4.17.3.tar.gz',
  'openshift-client-linux-s390x-rhel8-4.17.3.tar.gz',
  'openshift-client-linux-s390x-rhel9-4.17.3.tar.gz',
  'openshift-client-mac-4.17.3.tar.gz',
  'openshift-client-mac-arm64-4.17.3.tar.gz',
  'openshift-client-windows-4.17.3.zip',
  'openshift-install-linux-4.17.3.tar.gz',
  'openshift-install-linux-arm64-4.17.3.tar.gz',
  'openshift-install-mac-4.17.3.tar.gz',
  'openshift-install-mac-arm64-4.17.3.tar.gz',
  'openshift-install-rhel9-amd64.tar.gz',
];

interface Tools {
  release: { version: string; digest: string };
  releaseImage: string;
  archives: { file: string; sha256: string; os: string; commands: string[]; names: string[] }[];
  left: string[];
  unpinned: string[];
}

describeWith(['docker-registry', 'unzip'], 'the client programs of a release', () => {
  let sides: TwoSides;
  let out: string;
  let number = 0;

  beforeAll(async () => {
    sides = await twoSides('tools', { version: VERSION, components: 3, programs: true });
    const { packer, fetching, medium } = sides;
    await mkdir(medium);
    const packed = await packer.bundle(['pack', VERSION, ...fetching, '-o', medium]);
    expect(packed.status, packed.stderr).toBe(0);
  });
  afterAll(async () => sides.remove());
  beforeEach(() => {
    number += 1;
    out = join(sides.folder, `tools-${number}`);
  });

  const extract = async (...more: readonly string[]) =>
    sides.operator.bundle(['extract-tools', ...more, ...sides.trust, '-o', out]);
  const tar = async (archive: string): Promise<string> => {
    const folder = `${archive}.d`;
    await mkdir(folder);
    await execa('tar', ['-xzf', archive, '-C', folder]);
    return folder;
  };
  const run = async (program: string): Promise<string> => (await execa(program)).stdout;
  const contents = async (): Promise<ReadonlyMap<string, string>> => {
    const names = (await readdir(out)).sort();
    const texts = names.map(async (name) => readFile(join(out, name), 'latin1'));
    return new Map((await Promise.all(texts)).map((text, index) => [names[index]!, text]));
  };

  it('become archives with the names of the official download site', async () => {
    const found = (await sides.operator.json([
      ...['extract-tools', sides.medium, ...sides.trust, '-o', out],
    ])) as Tools;
    expect(found.archives.map(({ file }) => file)).toEqual(ALL);
    expect(found.left).toEqual([]);
    expect(await readdir(out)).toEqual([...ALL, 'release.txt', 'sha256sum.txt'].sort());
    const { stdout } = await execa('sha256sum', ['-c', 'sha256sum.txt'], { cwd: out });
    expect(stdout.split('\n')).toHaveLength(ALL.length + 1);

    const { reference } = sides.made.release;
    const pinned = `${reference.slice(0, reference.lastIndexOf(':'))}@${found.release.digest}`;
    expect(found.releaseImage).toBe(pinned);
    const text = await readFile(join(out, 'release.txt'), 'utf8');
    expect(text).toContain(`Pull From:      ${pinned}\n`);

    const install = await tar(join(out, 'openshift-install-linux-4.17.3.tar.gz'));
    expect((await readdir(install)).sort()).toEqual(['README.md', 'openshift-install']);
    expect(await run(join(install, 'openshift-install'))).toBe(
      `openshift-install for linux/amd64\nversion 4.17.3\nrelease image ${pinned}`,
    );
    const fips = await tar(join(out, 'openshift-install-rhel9-amd64.tar.gz'));
    expect(await run(join(fips, 'openshift-install-fips'))).toContain(`image ${pinned}`);

    const client = await tar(join(out, 'openshift-client-linux-amd64-rhel9-4.17.3.tar.gz'));
    expect(await run(join(client, 'oc'))).toContain('oc.rhel9 for linux/amd64\nversion 4.17.3\n');
    expect(await run(join(client, 'kubectl'))).toBe(await run(join(client, 'oc')));

    const windows = join(out, 'openshift-client-windows-4.17.3.zip');
    await execa('unzip', ['-q', windows, '-d', `${windows}.d`]);
    const program = await readFile(join(`${windows}.d`, 'oc.exe'));
    expect(program.includes('4.17.3\0')).toBe(true);
    const listed = await execa('unzip', ['-Z', windows]);
    expect(listed.stdout).toMatch(/-rwxr-xr-x .* oc\.exe$/m);
  });

  it('are the same bytes whenever and wherever they are written', async () => {
    const first = await extract(sides.medium, '--os', 'windows,mac');
    expect(first.status, first.stderr).toBe(0);
    const sums = await readFile(join(out, 'sha256sum.txt'), 'utf8');
    const again = await sides.operator.bundle(
      ['extract-tools', sides.medium, '--os=mac', '--os=windows', ...sides.trust, '-o', out],
      { env: { TZ: 'Pacific/Auckland' } },
    );
    expect(again.status, again.stderr).toBe(0);
    expect(await readFile(join(out, 'sha256sum.txt'), 'utf8')).toBe(sums);
    expect(sums.match(/\n/g)).toHaveLength(6);
  });

  it('are chosen by system, architecture and RHEL', async () => {
    const files = async (...more: readonly string[]): Promise<readonly string[]> => {
      await rm(out, { recursive: true, force: true });
      const { status, stderr } = await extract(sides.medium, ...more);
      expect(status, stderr).toBe(0);
      return (await readdir(out)).filter((name) => !name.endsWith('.txt'));
    };
    expect(await files('--os', 'mac', '--arch', 'aarch64')).toEqual([
      'openshift-client-mac-arm64-4.17.3.tar.gz',
      'openshift-install-mac-arm64-4.17.3.tar.gz',
    ]);
    expect(await files('--os', 'linux', '--arch', 'x86_64', '--rhel9')).toEqual([
      'ccoctl-linux-rhel9-4.17.3.tar.gz',
      'openshift-client-linux-amd64-rhel9-4.17.3.tar.gz',
      'openshift-install-linux-4.17.3.tar.gz',
      'openshift-install-rhel9-amd64.tar.gz',
    ]);
    expect(await files('--os', 'linux', '--arch', 'x86_64', '--rhel8')).toEqual([
      'ccoctl-linux-rhel8-4.17.3.tar.gz',
      'openshift-client-linux-amd64-rhel8-4.17.3.tar.gz',
      'openshift-install-linux-4.17.3.tar.gz',
    ]);
  });

  it('that a release lacks are named beside those that it has, and nothing is left behind', async () => {
    const { status, stderr } = await extract(
      ...[sides.medium, '--os', 'windows', '--arch', 'aarch64'],
    );
    expect(status).toBe(23);
    expect(stderr).toContain('the release has no programs for');
    expect(await readdir(out).catch(() => [])).toEqual([]);

    const lacking = await extract(sides.medium, '--os', 'windows,linux', '--arch', 's390x,x86_64');
    expect(lacking.status, lacking.stderr).toBe(0);
  });

  it('come out of a registry too, whose installer asks that registry', async () => {
    const { source, fetching, operator, made } = sides;
    const repository = `${source.host}/openshift-release-dev/ocp-release`;
    const ran = (await operator.json([
      ...['extract-tools', `${repository}@${made.release.digest}`, '--os', 'linux'],
      ...['--arch', 'x86_64', ...fetching, '-o', out],
    ])) as Tools;
    expect(ran.releaseImage).toBe(`${repository}@${made.release.digest}`);
    const install = await tar(join(out, 'openshift-install-linux-4.17.3.tar.gz'));
    expect(await run(join(install, 'openshift-install'))).toContain(`image ${repository}@sha256:`);

    const unsigned = await operator.bundle([
      ...['extract-tools', `${repository}:4.17.3-x86_64`, '--mirror', `quay.io=${source.host}`],
      ...['--signature-store', sides.folder, ...sides.trust, '-o', join(out, 'unsigned')],
    ]);
    expect(unsigned.status).toBe(21);
    expect((await readdir(out)).includes('unsigned')).toBe(false);
  });

  it('are not written through links', async () => {
    await mkdir(out);
    const victim = join(sides.folder, 'victim');
    await writeFile(victim, 'mine');
    for (const name of ['openshift-client-windows-4.17.3.zip', 'sha256sum.txt']) {
      await symlink(victim, join(out, name));
      const { status } = await extract(sides.medium, '--os', 'windows');
      expect(status).toBe(26);
      expect(await readdir(out)).toEqual([name]);
      await rm(join(out, name));
    }
    expect(await readFile(victim, 'utf8')).toBe('mine');
  });

  it('are not written out of a damaged bundle', async () => {
    const copy = join(sides.folder, 'damaged');
    await mkdir(copy);
    const [name] = (await readdir(sides.medium)).filter((file) => file.endsWith('.tar.zst'));
    const bytes = await readFile(join(sides.medium, name!));
    const marker = bytes.lastIndexOf(Buffer.from([0x1f, 0x8b, 0x08]));
    for (let at = marker + 64; at < marker + 128; at += 1) bytes[at] = bytes[at]! ^ 0x55;
    await writeFile(join(copy, name!), bytes);
    const { status } = await extract(copy);
    expect([20, 22]).toContain(status);
    expect(await readdir(out).catch(() => [])).toEqual([]);
  });

  it('of several releases are asked for one by one', async () => {
    const { packer, source, folder, fetching, made, trust, operator } = sides;
    const other = await makeReleaseIn(source, join(folder, 'other'), {
      ...{ version: '4.17.5', components: 3, programs: true },
    });
    const both = join(folder, 'both');
    await mkdir(both);
    const packed = await packer.bundle([
      ...['pack', VERSION, '4.17.5', ...fetching, '--release-key', other.releaseKey],
      ...['--signature-store', other.signatureStore, '-o', both],
    ]);
    expect(packed.status, packed.stderr).toBe(0);
    const trusted = [...trust, '--release-key', other.releaseKey];
    const vague = await operator.bundle(['extract-tools', both, ...trusted, '-o', out]);
    expect(vague.status).toBe(2);
    expect(vague.stderr).toContain('--release 4.17.5-x86_64');
    const { release } = (await operator.json([
      ...['extract-tools', both, ...trusted, '--release', VERSION, '--os=windows', '-o', out],
    ])) as Tools;
    expect(release.digest).toBe(made.release.digest);
  });

  it('of a release for several architectures are there for each of them', async () => {
    const { folder, operator } = sides;
    const multi = join(folder, 'multi');
    const made = await makeRelease({
      ...{ out: multi, architecture: 'multi', components: 2, programs: true },
    });
    const { releaseImage } = (await operator.json([
      ...['extract-tools', `oci:${made.layout!}@${made.release.digest}`, '--os', 'linux'],
      ...['--signature-store', made.signatureStore, '--release-key', made.releaseKey, '-o', out],
    ])) as Tools;
    const files = await readdir(out);
    for (const part of ['openshift-install-linux', 'ccoctl-linux', 'openshift-client-linux']) {
      expect(files).toContain(`${part}-4.17.3.tar.gz`);
      expect(files).toContain(`${part}-arm64-4.17.3.tar.gz`);
    }
    const install = await tar(join(out, 'openshift-install-linux-arm64-4.17.3.tar.gz'));
    expect(await run(join(install, 'openshift-install'))).toBe(
      `openshift-install for linux/arm64\nversion 4.17.3\nrelease image ${releaseImage}`,
    );
    expect(releaseImage).toBe(`quay.io/openshift-release-dev/ocp-release@${made.release.digest}`);
    const text = await readFile(join(out, 'release.txt'), 'utf8');
    expect(text).toContain('OS/Arch:        multi (linux/amd64)\n');
  });

  it('of a release without its installer are written, and the rest is named', async () => {
    const { folder, operator } = sides;
    const made = await makeRelease({
      ...{ out: join(folder, 'lacking'), components: 2, programs: ['cli', 'cli-artifacts'] },
    });
    const { status, stdout, stderr } = await operator.bundle([
      ...['extract-tools', `oci:${made.layout!}@${made.release.digest}`, '--output', 'json'],
      ...['--signature-store', made.signatureStore, '--release-key', made.releaseKey, '-o', out],
    ]);
    expect(status, stderr).toBe(30);
    expect((JSON.parse(stdout) as Tools).left.toSorted()).toEqual([
      'openshift-install-linux-4.17.3.tar.gz',
      'openshift-install-mac-4.17.3.tar.gz',
    ]);
    expect(stderr).toContain('left out: openshift-install-linux-4.17.3.tar.gz');
  });

  it('that cannot do what they should are named, and nothing is claimed of them', async () => {
    const { folder, operator } = sides;
    const made = await makeRelease({
      ...{ out: join(folder, 'flawed'), components: 2, programs: true },
      programFlaws: { installer: 'without-image-marker', 'cloud-credential-operator': 'empty' },
    });
    const tools = async (...more: readonly string[]) =>
      operator.bundle([
        ...['extract-tools', `oci:${made.layout!}@${made.release.digest}`, ...more],
        ...['--signature-store', made.signatureStore, '--release-key', made.releaseKey, '-o', out],
      ]);
    const only = 'openshift-install-linux-4.17.3.tar.gz';
    const ran = await tools('--os=linux', '--arch=x86_64', '--output=json');
    expect(ran.status, ran.stderr).toBe(30);
    const found = JSON.parse(ran.stdout) as Tools;
    expect(found.unpinned).toEqual([only]);
    expect(found.archives.find(({ file }) => file === only)).toMatchObject({
      names: ['release-version'],
      lacking: ['release-image'],
    });
    expect(found.left.toSorted()).toEqual([
      'ccoctl-linux-4.17.3.tar.gz',
      'ccoctl-linux-rhel8-4.17.3.tar.gz',
      'ccoctl-linux-rhel9-4.17.3.tar.gz',
    ]);
    expect(ran.stderr).toContain(
      'left out: ccoctl-linux-4.17.3.tar.gz: ' +
        'usr/bin/ccoctl in the image cloud-credential-operator is empty',
    );
    expect((await readdir(out)).filter((name) => name.startsWith('ccoctl'))).toEqual([]);
    const text = await readFile(join(out, 'release.txt'), 'utf8');
    expect(text).not.toContain('installs this release');
    expect(text.endsWith(`\n${only}\n`)).toBe(true);

    // Programs for another system lack nothing, and the installer from before is still there.
    const more = await tools('--os=mac');
    expect(more.status, more.stderr).toBe(0);
    expect(await readFile(join(out, 'release.txt'), 'utf8')).toBe(text);

    const shown = await tools('--os=linux', '--arch=x86_64');
    expect(shown.status).toBe(30);
    expect(shown.stdout).toContain(`without the release image: ${only}`);
    expect(await readFile(join(out, 'release.txt'), 'utf8')).toBe(text);
  });

  it('of one release come into one folder in several runs, with one list', async () => {
    const sums = async (...more: readonly string[]): Promise<string> => {
      const { status, stderr } = await extract(sides.medium, ...more);
      expect(status, stderr).toBe(0);
      return readFile(join(out, 'sha256sum.txt'), 'utf8');
    };
    await sums('--os', 'windows');
    expect(await readFile(join(out, 'release.txt'), 'utf8')).not.toContain('installer');
    await sums('--os', 'mac', '--arch', 'aarch64');
    expect(await readFile(join(out, 'release.txt'), 'utf8')).toContain('installs this release');
    const { stdout } = await execa('sha256sum', ['-c', '--strict', 'sha256sum.txt'], { cwd: out });
    expect(stdout.split('\n')).toEqual([
      'openshift-client-mac-arm64-4.17.3.tar.gz: OK',
      'openshift-client-windows-4.17.3.zip: OK',
      'openshift-install-mac-arm64-4.17.3.tar.gz: OK',
      'release.txt: OK',
    ]);
    await rm(join(out, 'openshift-client-windows-4.17.3.zip'));
    expect(await sums('--os', 'mac', '--arch', 'aarch64')).not.toContain('windows');
  });

  it('of two releases never come into one folder', async () => {
    const { folder, operator } = sides;
    const other = await makeRelease({
      ...{ out: join(folder, 'another'), version: '4.17.5', components: 2, programs: ['cli'] },
    });
    expect((await extract(sides.medium, '--os', 'windows')).status).toBe(0);
    const before = await contents();
    const mixed = await operator.bundle([
      ...['extract-tools', `oci:${other.layout!}@${other.release.digest}`, '-o', out],
      ...['--signature-store', other.signatureStore, '--release-key', other.releaseKey],
    ]);
    expect(mixed.status).toBe(2);
    expect(mixed.stderr).toContain(`${out} has the programs of another release, 4.17.3`);
    expect(mixed.stderr).toContain('choose another folder');
    expect(mixed.stderr).not.toContain('reading the manifests');
    expect(await contents()).toEqual(before);

    // The same release at another place: its installer would ask somewhere else.
    const { source, fetching, made } = sides;
    const repository = `${source.host}/openshift-release-dev/ocp-release`;
    const elsewhere = await operator.bundle([
      ...['extract-tools', `${repository}@${made.release.digest}`, '--os', 'linux'],
      ...[...fetching, '-o', out],
    ]);
    expect(elsewhere.status).toBe(2);
    expect(elsewhere.stderr).toContain('4.17.3 from another place');
    expect(await contents()).toEqual(before);
  });

  it('leave files of others alone, and fetch nothing where they are', async () => {
    await mkdir(out);
    const sum = 'a'.repeat(64);
    const foreign = [
      ['release.txt', 'my notes\n', 'is no text of this program'],
      ['release.txt', 'Client programs of OpenShift\n\nmy notes\n', 'is no text of this program'],
      ['sha256sum.txt', 'my notes\n', 'is no list of checksums'],
      ['sha256sum.txt', `${sum}  ../other\n`, 'is no list of checksums'],
      ['sha256sum.txt', `${sum}  mine.tar\n${sum}  mine.tar\n`, 'is no list of checksums'],
      ['sha256sum.txt', `${sum}  mine.tar`, 'is no list of checksums'],
      ['sha256sum.txt', `${sum}  mine.tar\n`, 'lists files of an unknown release'],
    ] as const;
    for (const [name, text, cause] of foreign) {
      await writeFile(join(out, 'mine.tar'), 'mine');
      await writeFile(join(out, name), text);
      const before = await contents();
      // Nothing listens there: what is refused has not been looked for.
      const { status, stderr } = await extract('127.0.0.1:1/a/b:4.17.3');
      expect(status, stderr).toBe(2);
      expect(stderr).toContain(cause);
      expect(await contents()).toEqual(before);
      await rm(join(out, name));
    }
    await writeFile(join(out, 'release.txt'), '');
    await writeFile(join(out, 'sha256sum.txt'), '');
    expect((await extract(sides.medium, '--os', 'windows')).status).toBe(0);
  });

  it('are not written where the last layer that is read turns out to be wrong', async () => {
    const { folder, operator } = sides;
    const made = await makeRelease({
      ...{ out: join(folder, 'wrong'), components: 2, programs: ['cli', 'cli-artifacts'] },
    });
    const blob = (digest: string): string =>
      join(made.layout!, 'blobs/sha256', digest.replace('sha256:', ''));
    const artifacts = made.components.find(({ name }) => name === 'cli-artifacts')!;
    const { layers } = JSON.parse(await readFile(blob(artifacts.digest), 'utf8')) as {
      layers: { digest: string }[];
    };
    const programs = blob(layers.at(-1)!.digest);
    const bytes = await readFile(programs);
    // Behind the last program: all of them have been taken out when this byte comes.
    bytes[bytes.length - 5]! ^= 1;
    await writeFile(programs, bytes);
    const { status, stderr } = await operator.bundle([
      ...['extract-tools', `oci:${made.layout!}@${made.release.digest}`],
      ...['--signature-store', made.signatureStore, '--release-key', made.releaseKey, '-o', out],
    ]);
    expect(status).toBe(20);
    expect(stderr).toContain(`image cli-artifacts, layer ${layers.at(-1)!.digest}`);
    expect(await readdir(out)).toEqual([]);
  });

  it('refuse what has no meaning for them', async () => {
    const refused = async (...args: readonly string[]): Promise<string> => {
      const { status, stderr } = await extract(...args);
      expect(status).toBe(2);
      return stderr;
    };
    expect(await refused(sides.medium, '--os', 'beos')).toContain('linux, mac, windows');
    expect(await refused(sides.medium, '--arch', 'multi')).toContain('x86_64, aarch64');
    expect(await refused(sides.medium, '--mirror', 'a.b=c.d')).toContain('--mirror is for');
    const reference = `${sides.source.host}/a/b:1`;
    expect(await refused(reference, '--expect', '4.17.3')).toContain('--expect is for');
    const { status, stderr } = await extract(`${sides.source.host}/a/b`);
    expect(status).toBe(23);
    expect(stderr).toContain('add a tag or a digest');
  });

  it('leave the payload to another command, which writes one file as it is', async () => {
    const { operator, medium, trust } = sides;
    const one = async (...args: readonly string[]) =>
      operator.bundle(['extract', medium, ...trust, ...args]);
    const metadata = await one('--file', 'release-metadata');
    expect(metadata.status, metadata.stderr).toBe(0);
    expect(JSON.parse(metadata.stdout)).toMatchObject({ version: VERSION });
    expect(metadata.stderr).toContain('release-metadata of 4.17.3 for x86_64');

    const file = join(out, 'references.json');
    const written = (await operator.json([
      ...['extract', medium, ...trust, '--file', 'image-references', '-o', file],
    ])) as { sha256: string };
    const { stdout } = await execa('sha256sum', [file]);
    expect(stdout.split(' ')[0]).toBe(written.sha256);

    const lacking = await one('--file', 'release-metedata');
    expect(lacking.status).toBe(23);
    expect(lacking.stderr).toContain('It has release-metadata, ');
    expect((await one('--file', '../etc/passwd')).status).toBe(2);
  });

  it('never replace a file that somebody has, as long as it holds something else', async () => {
    const { operator, medium, trust } = sides;
    const to = async (file: string, name = 'release-metadata') =>
      operator.bundle(['extract', medium, ...trust, '--file', name, '-o', file]);
    const file = join(out, 'metadata.json');
    expect((await to(file)).status).toBe(0);
    const before = await stat(file);
    const again = await to(file);
    expect(again.status, again.stderr).toBe(0);
    expect(again.stdout + again.stderr).toContain(`${file} holds release-metadata of`);
    expect((await stat(file)).ino).toBe(before.ino);

    const bytes = await readFile(file);
    const other = await to(file, 'image-references');
    expect(other.status).toBe(2);
    expect(other.stderr).toContain(`${file} exists already, and holds something else`);
    expect(other.stderr).toContain('choose another name');
    expect(await readFile(file)).toEqual(bytes);
    // As many bytes, and not the same.
    await writeFile(file, Buffer.alloc(bytes.length));
    expect((await to(file)).status).toBe(2);
    expect(await readFile(file)).toEqual(Buffer.alloc(bytes.length));

    const [volume] = (await readdir(medium)).filter((name) => name.endsWith('.tar.zst'));
    const bundle = await readFile(join(medium, volume!));
    expect((await to(join(medium, volume!))).status).toBe(2);
    expect(bundle.equals(await readFile(join(medium, volume!)))).toBe(true);
    expect((await readdir(out)).sort()).toEqual(['metadata.json']);

    const link = join(out, 'link');
    await symlink('nothing', link);
    expect((await to(link)).status).toBe(26);
    expect((await readdir(out)).sort()).toEqual(['link', 'metadata.json']);
  });
});
