import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';

import { afterAll, beforeAll, expect, it } from 'vitest';

import type { MadeRelease } from '../../scripts/lib/made-release.ts';
import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { digestOf } from '../../src/core/digest.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';
import { ImageLayout } from '../../src/stores/layout/layout.ts';
import { startBundle } from '../support/bundle-process.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { temporaryFolder, User } from '../support/user.ts';

const [OLD, NEW] = ['4.17.3', '4.17.5'];
const OLD_LABEL = `${OLD} for x86_64`;
const NEW_LABEL = `${NEW} for x86_64`;
const NAME = `ocp-${OLD}..${NEW}-x86_64`;
const RELEASES = 'openshift/release-images';
const COMPONENTS = 'openshift/release';
/** Which component of the newer release it alone has, with a layer of its own. */
const OWN = 4;
const MiB = 1024 * 1024;
/** Enough for a pack that is killed to have something on the disk. */
const SHAPE = { base: [12 * MiB, MiB / 2, MiB / 2, MiB / 2], own: () => MiB };

interface PartJson {
  readonly label: string;
  readonly version: string;
  readonly architecture: string;
  readonly digest: string;
  readonly proven: boolean;
  readonly size: { readonly bytes: number; readonly own: number; readonly added: number };
  readonly images: readonly { readonly name: string; readonly parts: readonly string[] }[];
}

interface Packed {
  readonly name: string;
  readonly path: string;
  readonly bundleDigest: string;
  readonly parts: readonly PartJson[];
}

interface Unpacked {
  readonly delivery: {
    readonly parts: readonly { label: string; named: readonly { pinned: string }[] }[];
    readonly copied: { readonly blobs: object; readonly left: readonly string[] };
  };
}

/** Each test continues where the one before it ended, but for the registries' namespaces. */
describeWith(['docker-registry'], 'a bundle of several releases', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: TestRegistry;
  let target: TestRegistry;
  /** They share their components, but for those that only the newer one has. */
  let made: { readonly old: MadeRelease; readonly new: MadeRelease; readonly arm: MadeRelease };
  let packer: User;
  let operator: User;
  let medium: string;
  let trust: readonly string[];

  const path = (...parts: readonly string[]): string => join(temporary.path, ...parts);
  const from = (host: string, ...of: readonly MadeRelease[]): readonly string[] => [
    ...['--mirror', `quay.io=${host}`, '--key', path('packer.pem')],
    ...of.flatMap(({ signatureStore }) => ['--signature-store', signatureStore]),
    ...trust,
  ];
  const packing = (host = source.host): readonly string[] => [
    ...['pack', OLD, NEW],
    ...from(host, made.old, made.new),
  ];
  const unpacking = (namespace: string, ...more: readonly string[]): readonly string[] => [
    ...['unpack', medium, '--to', `${target.host}/${namespace}`, ...trust],
    ...['--resources-dir', path(namespace, 'cluster-resources'), ...more],
  ];
  /** Those of signatures aside. */
  const tagsAt = async (repository: string): Promise<readonly string[]> => {
    const answer = await fetch(`${target.url}/v2/${repository}/tags/list?n=1000`);
    const { tags } = (await answer.json()) as { tags?: string[] | null };
    return (tags ?? []).filter((tag) => !tag.endsWith('.sig')).toSorted();
  };
  const tagsOf = ({ version, architecture, components }: MadeRelease): readonly string[] =>
    components.map(({ name }) => `${version}-${architecture}-${name}`).toSorted();
  /** Which of the releases a namespace has, with everything that belongs to them. */
  const expectAt = async (
    namespace: string,
    ...releases: readonly MadeRelease[]
  ): Promise<void> => {
    const tags = releases.map(({ version, architecture }) => `${version}-${architecture}`);
    expect(await tagsAt(`${namespace}/${RELEASES}`)).toEqual(tags.toSorted());
    expect(await tagsAt(`${namespace}/${COMPONENTS}`)).toEqual(releases.flatMap(tagsOf).toSorted());
    for (const { version, architecture, release, components } of releases) {
      const tag = `${version}-${architecture}`;
      expect(await digestAt(`${namespace}/${RELEASES}`, tag)).toBe(release.digest);
      for (const { name, digest } of components) {
        expect(await digestAt(`${namespace}/${COMPONENTS}`, `${tag}-${name}`)).toBe(digest);
      }
    }
  };
  const digestAt = async (repository: string, reference: string): Promise<string> => {
    const answer = await fetch(`${target.url}/v2/${repository}/manifests/${reference}`, {
      headers: { accept: MANIFEST_TYPES.join(', ') },
    });
    return digestOf(Buffer.from(await answer.arrayBuffer()));
  };
  const repositoriesOf = async (namespace: string): Promise<readonly string[]> => {
    const answer = await fetch(`${target.url}/v2/_catalog?n=1000`);
    const { repositories } = (await answer.json()) as { repositories: string[] };
    return repositories.filter((name) => name.startsWith(`${namespace}/`));
  };
  const labels = (parts: readonly { readonly label: string }[]): readonly string[] =>
    parts.map(({ label }) => label);
  const failureOf = async (
    user: User,
    args: readonly string[],
  ): Promise<{ status: number | null; error: { code: string; hint: string; got: string } }> => {
    const { status, stdout } = await user.bundle([...args, '--output', 'json']);
    return { status, ...(JSON.parse(stdout) as { error: never }) };
  };

  beforeAll(async () => {
    temporary = await temporaryFolder('several');
    [source, target] = await Promise.all([startRegistry(), startRegistry()]);
    const signer = await makeReleaseSigner();
    const make = (
      name: string,
      options: Pick<Parameters<typeof makeReleaseIn>[2], 'version' | 'architecture' | 'components'>,
    ): Promise<MadeRelease> =>
      makeReleaseIn(source, path(name), { ...options, signer, shape: SHAPE, cosign: true });
    made = {
      old: await make('old', { version: OLD, components: 3 }),
      new: await make('new', { version: NEW, components: OWN + 1 }),
      arm: await make('arm', { version: OLD, architecture: 'aarch64', components: 2 }),
    };
    trust = ['--release-key', made.old.releaseKey];
    medium = path('medium');
    packer = await User.new(path('connected'));
    operator = await User.new(path('closed'));
    // A key that gives the same bytes whenever it signs.
    const key = ['keygen', '--type', 'ed25519', '--out', path('packer.pem')];
    expect(await packer.bundle(key)).toMatchObject({ status: 0 });
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await temporary.remove();
  });

  it('is planned with what each of them adds, and nothing is written', async () => {
    const dry = [...packing(), '-o', medium, '--dry-run'];
    const { parts } = (await packer.json(dry)) as Packed;
    expect(labels(parts)).toEqual([OLD_LABEL, NEW_LABEL]);
    const [first, second] = parts.map(({ size }) => size);
    // Nothing comes before the first, so it adds all of itself; the second shares most with it.
    expect(first!.added).toBe(first!.bytes);
    expect(second!.added).toBe(second!.own);
    expect(second!.added).toBeGreaterThan(0);
    expect(second!.added).toBeLessThan(second!.bytes);
    expect(first!.own).toBeLessThan(first!.bytes);
    const { stdout } = await packer.bundle([...dry, '--verbose']);
    expect(stdout.match(/^shared +.* of it with other parts$/gm)).toHaveLength(2);
    expect(stdout).toContain(`${OLD}-x86_64-`);
    expect(await readdir(temporary.path)).not.toContain('medium');
  });

  it('is packed into one file, which is called after the lowest and the highest', async () => {
    const packed = (await packer.json([...packing(), '-o', medium])) as Packed;
    expect(packed).toMatchObject({ name: NAME, path: join(medium, `${NAME}.tar.zst`) });
    expect(packed.parts).toMatchObject([
      { version: OLD, architecture: 'x86_64', digest: made.old.release.digest, proven: true },
      { version: NEW, architecture: 'x86_64', digest: made.new.release.digest, proven: true },
    ]);
    expect((await readdir(medium)).toSorted()).toEqual([
      `${NAME}.pub`,
      `${NAME}.sha256`,
      `${NAME}.tar.zst`,
    ]);
    const contents = [packed.parts[0]!.size.added, packed.parts[1]!.size.added];
    const { blobs, bytes } = (await packer.json(['verify', medium, ...trust])) as {
      blobs: number;
      bytes: number;
    };
    expect(blobs).toBeGreaterThan(0);
    expect(bytes).toBe(contents[0]! + contents[1]!);
  });

  it('holds a release once that is asked for twice, by its version and by its digest', async () => {
    const { digest } = made.new.release;
    const args = from(source.host, made.old, made.new);
    const asked = ['pack', OLD, NEW, OLD, digest, ...args, '-o', path('twice'), '--dry-run'];
    const { bundleDigest, parts } = (await packer.json(asked)) as Packed;
    expect(labels(parts)).toEqual([OLD_LABEL, NEW_LABEL]);
    const once = (await packer.json(['inspect', medium, ...trust])) as {
      bundle: { digest: string };
    };
    expect(bundleDigest).toBe(once.bundle.digest);
  });

  it('is verified for somebody who trusts nobody yet, each release by its own signature', async () => {
    const { status, stdout } = await operator.bundle(['verify', medium, ...trust]);
    expect(status).toBe(0);
    expect(stdout).toContain('NOT TRUSTED HERE');
    expect(stdout.match(/^release signature +good/gm)).toHaveLength(2);
    const both = ['--expect', OLD, '--expect', `${NEW}-x86_64`];
    expect((await operator.bundle(['verify', medium, ...both, ...trust])).status).toBe(0);
    const third = ['verify', medium, '--expect', OLD, '--expect', '4.17.4', ...trust];
    expect(await failureOf(operator, third)).toMatchObject({
      status: 21,
      error: { code: 'NOT_THE_EXPECTED_BUNDLE', got: `${OLD_LABEL}, ${NEW_LABEL}` },
    });
  });

  it('says of each image to which of them it belongs', async () => {
    const { bundle, images } = (await operator.json(['inspect', medium, ...trust])) as {
      bundle: { parts: readonly PartJson[] };
      images: readonly { name: string; role: string; digest: string; parts: string[] }[];
    };
    expect(labels(bundle.parts)).toEqual([OLD_LABEL, NEW_LABEL]);
    const partsOf = (digest: string): string => {
      const parts = images
        .filter((image) => image.digest === digest)
        .flatMap((image) => image.parts);
      return [...new Set(parts)].toSorted().join();
    };
    expect(partsOf(made.old.release.digest)).toBe(OLD_LABEL);
    expect(partsOf(made.new.release.digest)).toBe(NEW_LABEL);
    // What they share is one image for each of its two tags.
    for (const { digest } of made.old.components) {
      expect(partsOf(digest)).toBe(`${OLD_LABEL},${NEW_LABEL}`);
    }
    expect(partsOf(made.new.components[OWN]!.digest)).toBe(NEW_LABEL);
    const shared = images.find(({ role, parts }) => role === 'signature' && parts.length === 2);
    expect(shared).toBeDefined();
    const { stdout } = await operator.bundle(['inspect', medium, '--images', ...trust]);
    expect(stdout).toMatch(/^name +digest +size +own +part$/m);
  });

  it('is unpacked beside many newer releases with a warning that names few', async () => {
    await operator.json(unpacking('many', '--release', NEW));
    const at = `${target.url}/v2/many/${RELEASES}/manifests`;
    const type = MANIFEST_TYPES.join(', ');
    const release = await fetch(`${at}/${NEW}-x86_64`, { headers: { accept: type } });
    const headers = { 'content-type': release.headers.get('content-type')! };
    const body = Buffer.from(await release.arrayBuffer());
    const names = Array.from({ length: 12 }, (_, index) => `4.99.${index}`);
    for (const name of names)
      expect((await fetch(`${at}/${name}-x86_64`, { method: 'PUT', headers, body })).ok).toBe(true);
    const older = unpacking('many', '--release', OLD);
    const { stdout, stderr } = await operator.bundle(older);
    expect(stderr).not.toContain('newer release'); // the report says it
    expect(stdout).toContain('a newer release:\n  4.99.11\n  4.99.10\n  4.99.9\n  10 more\n');
    const told = await readFile(path('many', 'cluster-resources', 'next-steps.txt'), 'utf8');
    expect(told.replace(/\s+/g, ' ')).toContain(
      'a newer release: 4.99.11, 4.99.10, 4.99.9, 10 more.',
    );
    expect((await operator.bundle([...older, '--verbose'])).stdout).toContain('\n  4.99.4\n');
    expect(await operator.json(older)).toMatchObject({
      delivery: { newer: [{ names: [NEW, ...names] }] },
    });
  });

  it('is unpacked one release at a time, or as a whole, and never twice', async () => {
    const one = (await operator.json(unpacking('ocp4', '--release', NEW))) as Unpacked;
    expect(labels(one.delivery.parts)).toEqual([NEW_LABEL]);
    await expectAt('ocp4', made.new);
    expect(await readdir(path('ocp4', 'cluster-resources'))).toHaveLength(6);
    expect(await readdir(path('ocp4'))).toEqual(['cluster-resources']);
    expect(
      sectionsIn(await readFile(path('ocp4', 'cluster-resources', 'next-steps.txt'), 'utf8')),
    ).toEqual([NEW]);

    const { status, stdout, stderr } = await operator.bundle(unpacking('ocp4', '--release', OLD));
    expect(status).toBe(0);
    expect(stderr).not.toContain('already holds');
    expect(stdout).toContain(`already holds a newer release:\n  ${NEW}\n`);
    expect(await readFile(path('ocp4', 'cluster-resources', 'next-steps.txt'), 'utf8')).toContain(
      `WARNING: the registry already holds a newer release: ${NEW}.`,
    );
    await expectAt('ocp4', made.old, made.new);

    expect((await operator.bundle(unpacking('all'))).status).toBe(0);
    await expectAt('all', made.old, made.new);
    const again = (await operator.json(unpacking('all'))) as Unpacked;
    expect(again.delivery.copied).toMatchObject({
      blobs: { pushed: 0, mounted: 0 },
      manifests: { pushed: 0 },
      tags: { set: 0 },
      left: [],
    });
  });

  it('leaves one config map and one section of next steps for each, and one mirror set', async () => {
    const hexOf = ({ release }: MadeRelease): string => release.digest.slice(7, 7 + 16);
    const registry = target.host.replace(/[^0-9]/g, '-');
    const written = await readdir(path('all', 'cluster-resources'));
    expect(written.map((name) => name.replace(/-[0-9a-f]{8}\.yaml$/, '.yaml')).toSorted()).toEqual(
      [
        `idms-${registry}-all.yaml`,
        `signature-sha256-${hexOf(made.old)}.yaml`,
        `signature-sha256-${hexOf(made.new)}.yaml`,
        ...['for-4.12', 'install', 'kustomization.yaml', 'next-steps.txt'],
      ].toSorted(),
    );
    const steps = await readFile(path('all', 'cluster-resources', 'next-steps.txt'), 'utf8');
    expect(sectionsIn(steps)).toEqual([OLD, NEW]);
    for (const release of [made.old, made.new]) {
      const image = `${target.host}/all/${RELEASES}@${release.release.digest}`;
      expect(steps).toContain(`--to-image ${image}`);
      expect(steps).toContain(`oc apply -f signature-sha256-${hexOf(release)}`);
    }
  });

  it.each([
    ['its version', () => NEW],
    ['its version and architecture', () => `${NEW}-x86_64`],
    ['its digest', () => made.new.release.digest],
  ])('is chosen from by %s', async (_, name) => {
    const report = await operator.json(unpacking('chosen', '--release', name(), '--dry-run'));
    const { parts } = (report as Unpacked).delivery;
    expect(parts.map(({ named }) => named[0]!.pinned)).toEqual([
      `${target.host}/chosen/${RELEASES}@${made.new.release.digest}`,
    ]);
    expect(await repositoriesOf('chosen')).toEqual([]);
  });

  it('of which one is wanted that it does not hold: 23 with those that it does, and nothing is written', async () => {
    const args = unpacking('absent', '--release', OLD, '--release', '4.17.4');
    expect(await failureOf(operator, args)).toMatchObject({
      status: 23,
      error: { code: 'NOT_FOUND', got: `${OLD_LABEL}, ${NEW_LABEL}` },
    });
    expect(await repositoriesOf('absent')).toEqual([]);
    expect(await readdir(temporary.path)).not.toContain('absent');
  });

  it('of which one does not exist is not begun: 23, and nothing is written', async () => {
    const proxy = await startFaultProxy(source.url);
    const args = ['pack', OLD, '4.17.99', NEW, ...from(proxy.host, made.old, made.new)];
    const { status, error } = await failureOf(packer, [...args, '-o', path('none')]);
    expect({ status, error }).toMatchObject({ status: 23, error: { code: 'NOT_FOUND' } });
    expect(error.hint).toContain(`${NEW} (x86_64)`);
    expect(proxy.seen(/\/blobs\//)).toEqual([]);
    await proxy.stop();
    await expect(readdir(path('none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('of two architectures is asked for with commas or twice', async () => {
    const args = from(source.host, made.old, made.arm);
    const digests = [];
    for (const [name, archs] of [
      ['commas', ['--arch', 'x86_64,arm64']],
      ['repeated', ['--arch', 'x86_64', '--arch', 'aarch64']],
    ] as const) {
      const ran = await packer.json(['pack', OLD, ...archs, ...args, '-o', path(name)]);
      const { name: signed, bundleDigest, parts } = ran as Packed;
      expect(signed).toBe(`ocp-${OLD}-x86_64-aarch64`);
      expect(parts.map(({ digest }) => digest)).toEqual([
        made.old.release.digest,
        made.arm.release.digest,
      ]);
      digests.push(bundleDigest);
    }
    expect(digests[0]).toBe(digests[1]);
    const unpack = (namespace: string, release: string): Promise<unknown> =>
      operator.json([...unpacking(namespace, '--release', release).with(1, path('commas'))]);
    await unpack('arm', `${OLD}-aarch64`);
    await expectAt('arm', made.arm);
    await unpack('architectures', OLD);
    await expectAt('architectures', made.arm, made.old);
  });

  it('goes onto several media in volumes', async () => {
    const discs = path('discs');
    const { size } = (await packer.json([...packing(), '-o', path('again')])) as { size: number };
    const volumes = ['--volume-size', String(Math.ceil(size / 2.5))];
    expect(await packer.bundle([...packing(), '-o', discs, ...volumes])).toMatchObject({
      status: 0,
    });
    expect((await readdir(discs)).filter((name) => /\.\d{3}$/.test(name)).toSorted()).toEqual(
      ['001', '002', '003'].map((number) => `${NAME}.tar.zst.${number}`),
    );
    expect((await operator.bundle(['verify', discs, ...trust])).status).toBe(0);
    const layout = path('layout');
    const args = ['unpack', discs, '--release', NEW, '--to', `oci:${layout}`, ...trust];
    expect((await operator.bundle(args)).status).toBe(0);
    const tags = await (await ImageLayout.open(layout)).tags();
    expect(tags).toContain(`${NEW}-x86_64`);
    expect(tags.filter((tag) => tag.startsWith(OLD))).toEqual([]);
  });

  it('goes through a pipe, of which one release is pushed', async () => {
    const { child, ended } = await startBundle([...packing(), '-o', '-'], {
      folder: packer.folder,
      output: () => undefined,
    });
    const args = unpacking('piped', '--release', NEW).with(1, '-');
    const unpacked = await startBundle(args, { folder: operator.folder, input: child.stdout! });
    expect(await unpacked.ended).toMatchObject({ status: 0 });
    expect(await ended).toMatchObject({ status: 0 });
    await expectAt('piped', made.new);

    const file = await readFile(join(medium, `${NAME}.tar.zst`));
    const cut = Readable.from([file.subarray(0, file.length - 1)], { objectMode: false });
    const short = await startBundle(unpacking('short', '--release', OLD).with(1, '-'), {
      folder: operator.folder,
      input: cut,
    });
    expect(await short.ended).toMatchObject({ status: 22 });
    expect(await tagsAt(`short/${RELEASES}`)).toEqual([]);
  });

  it('is mirrored with no file between', async () => {
    const args = [
      ...['mirror', OLD, NEW, '--to', `${target.host}/mirrored`],
      ...['--resources-dir', path('mirrored', 'cluster-resources')],
      ...from(source.host, made.old, made.new).filter((_, at) => at !== 2 && at !== 3),
    ];
    const { parts } = (await packer.json(args)) as Packed;
    expect(labels(parts)).toEqual([OLD_LABEL, NEW_LABEL]);
    await expectAt('mirrored', made.old, made.new);
  });

  it('that is damaged in one of them is pushed but for that one, and repaired with a patch', async () => {
    const whole = await readFile(join(medium, `${NAME}.tar.zst`));
    const bad = path('bad', `${NAME}.tar.zst`);
    await mkdir(path('bad'));
    // A layer of the component that only the newer one has.
    const own = await ownLayer(made.new.components[OWN]!);
    const at = whole.indexOf(`blobs/sha256/${own.slice('sha256:'.length)}\0`);
    const bytes = Buffer.from(whole);
    bytes[at + 512 + 10]! ^= 1;
    await writeFile(bad, bytes);

    const map = path('damage.json');
    const verify = ['verify', path('bad'), '--damage', map, ...trust];
    const { status, stderr } = await operator.bundle(verify);
    expect(status).toBe(20);
    const component = `${NEW}-x86_64-${made.new.components[OWN]!.name}`;
    expect(stderr).toContain(`  images:   ${component} (${NEW_LABEL})\n`);
    expect(stderr).toContain(`\n  bundle pack ${OLD} ${NEW} --arch x86_64 --repair damage.json `);
    const damage = JSON.parse(await readFile(map, 'utf8')) as object;
    expect(damage).toMatchObject({
      name: NAME,
      parts: [OLD_LABEL, NEW_LABEL],
      faults: [{ images: [{ name: component, parts: [NEW_LABEL] }] }],
    });

    const partial = unpacking('partial', '--partial').with(1, path('bad'));
    const pushed = await operator.bundle(partial);
    expect(pushed.status).toBe(30);
    expect(pushed.stdout).toContain(`PARTLY DONE: ${NEW_LABEL} has no tag; ${OLD_LABEL} complete`);
    expect(await tagsAt(`partial/${RELEASES}`)).toEqual([`${OLD}-x86_64`]);
    expect(
      sectionsIn(await readFile(path('partial', 'cluster-resources', 'next-steps.txt'), 'utf8')),
    ).toEqual([OLD]);

    const patch = (await packer.json([
      ...packing(),
      '--repair',
      map,
      '-o',
      path('patch'),
    ])) as Packed;
    expect(basename(patch.path)).toBe(`${NAME}.${patch.bundleDigest.slice(0, 8)}.patch.tar.zst`);
    const repair = ['repair', path('bad'), path('patch'), '-o', path('repaired'), ...trust];
    expect(await operator.bundle(repair)).toMatchObject({ status: 0 });
    expect((await readFile(path('repaired', `${NAME}.tar.zst`))).equals(whole)).toBe(true);
    const patched = unpacking('patched', '--release', NEW).toSpliced(2, 0, path('patch'));
    expect(await operator.bundle(patched.with(1, path('bad')))).toMatchObject({ status: 0 });
    await expectAt('patched', made.new);
  });

  it('that was interrupted under way is continued to the same bytes', async () => {
    const layers = (method: string, url: string): boolean =>
      method === 'GET' && url.includes('/blobs/');
    const folder = path('killed');
    let begun: () => void = () => undefined;
    const stalled = new Promise<void>((resolve) => (begun = resolve));
    const last = await ownLayer(made.new.components[OWN]!);
    const slow = await startFaultProxy(source.url, ({ method, url }) => {
      if (!layers(method, url) || !url.endsWith(last)) return undefined;
      begun();
      return { kind: 'stall', after: 0 };
    });
    const args = [...packing(slow.host), '-o', folder, '--progress', 'json'];
    const { child, ended, told } = await startBundle(args, { folder: packer.folder });
    await Promise.all([stalled, told(/"type":"finished"/)]);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ status: 143 });
    await slow.stop();
    expect(await readdir(folder)).toContain(`${NAME}.tar.zst.partial`);

    const proxy = await startFaultProxy(source.url);
    const again = await packer.json([...packing(proxy.host), '-o', folder]);
    await proxy.stop();
    expect((again as { kept: { layers: number } }).kept.layers).toBeGreaterThan(0);
    // Of manifests only what the two tags name now is asked for: the rest is in the file. Whether
    // the sources may be read is found out with a digest that none of them has.
    expect(
      proxy
        .seen(/^GET .*\/manifests\//)
        .map((line) => basename(line))
        .filter((reference) => reference !== digestOf(''))
        .toSorted(),
    ).toEqual([`${OLD}-x86_64`, `${NEW}-x86_64`]);
    expect(proxy.seen(/^GET .*\/blobs\//).length).toBeLessThan(
      slow.seen(/^GET .*\/blobs\//).length,
    );
    const [continued, whole] = await Promise.all(
      [folder, medium].map((place) => readFile(join(place, `${NAME}.tar.zst`))),
    );
    expect(continued!.equals(whole!)).toBe(true);
  });

  it('of which one is not signed is taken from a trusted signer only, and every report says which', async () => {
    const folder = path('unsigned');
    const args = ['pack', OLD, NEW, ...from(source.host, made.old), '-o', folder];
    expect(await failureOf(packer, args)).toMatchObject({
      status: 21,
      error: { code: 'SIGNATURE_MISSING' },
    });
    const packed = await packer.json([...args, '--allow-unsigned-release']);
    expect((packed as Packed).parts.map(({ proven }) => proven)).toEqual([true, false]);
    expect(await failureOf(operator, ['verify', folder, ...trust])).toMatchObject({
      status: 21,
      error: { code: 'SIGNER_UNKNOWN' },
    });
    const known = ['--trusted-key', path('packer.pub'), ...trust];
    const { bundle } = (await operator.json(['verify', folder, ...known])) as { bundle: Packed };
    expect(bundle.parts.map(({ proven }) => proven)).toEqual([true, false]);
    const { status, stdout } = await operator.bundle(['verify', folder, ...known]);
    expect(status).toBe(0);
    expect(stdout.match(/^release signature +\S+/gm)).toEqual([
      expect.stringMatching(/good,$/),
      expect.stringMatching(/NONE:$/),
    ]);
  });

  it('that lies in a folder beside another one is named, and the other is left alone', async () => {
    const folder = path('two-files');
    await mkdir(folder);
    await copyFile(join(medium, `${NAME}.tar.zst`), join(folder, `${NAME}.tar.zst`));
    const old = ['pack', OLD, ...from(source.host, made.old), '-o', folder];
    expect(await packer.bundle(old)).toMatchObject({ status: 0 });
    expect(await failureOf(operator, ['verify', folder, ...trust])).toMatchObject({ status: 2 });
    const named = join(folder, `${NAME}.tar.zst`);
    expect((await operator.bundle(['verify', named, ...trust])).status).toBe(0);
  });

  /** The layer that no other image of the made releases has. */
  async function ownLayer({ digest }: MadeRelease['components'][number]): Promise<string> {
    const url = `${source.url}/v2/openshift-release-dev/ocp-v4.0-art-dev/manifests/${digest}`;
    const answer = await fetch(url, { headers: { accept: MANIFEST_TYPES.join(', ') } });
    const { layers } = (await answer.json()) as { layers: { digest: string }[] };
    return layers.at(-1)!.digest;
  }
});

/** The versions that a text of next steps has sections for, in its order. */
function sectionsIn(steps: string): readonly string[] {
  return [...steps.matchAll(/^OpenShift (\S+) \(\S+\), in the local registry:$/gm)].map(
    ([, version]) => version!,
  );
}
