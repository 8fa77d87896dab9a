import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

import { makeReleaseSigner } from '../../scripts/lib/release-signer.ts';
import { type Digest, hexOf } from '../../src/core/digest.ts';
import { MANIFEST_TYPES } from '../../src/core/media-types.ts';
import { publishImage } from '../support/base-image.ts';
import { describeWith } from '../support/needs.ts';
import { makeReleaseIn } from '../support/packable-release.ts';
import { digestHeld } from '../support/registry.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { type SignedSides, signedSides } from '../support/signed-sides.ts';

interface Rows {
  readonly kind: string;
  readonly spec: {
    readonly imageTagMirrors?: readonly { source: string; mirrors: readonly string[] }[];
    readonly imageDigestMirrors?: readonly { source: string; mirrors: readonly string[] }[];
  };
}

/** Images beside a release, and images alone. */
describeWith(['docker-registry', 'skopeo', 'python3'], 'a bundle with images', () => {
  let sides: SignedSides;
  let fetching: readonly string[];
  let release: readonly string[];
  let trust: readonly string[];
  /** Digests of the images. */
  let tool: Digest;
  let web: Digest;
  let other: Digest;

  const images = (): readonly string[] => [
    ...['--image', 'quay.io/team/tool:1.4'],
    ...['--image', 'web/front:2'],
    ...['--image', 'nginx:1.16.0'],
    ...['--image', `quay.io/team/other@${other}`],
    ...['--image', `quay.io/team/other@${other}=mine/renamed:v1`],
  ];
  const pack = (output: string, ...more: readonly string[]) =>
    sides.pack(output, ...fetching, ...more);
  const digestAt = (repository: string, reference: string) =>
    digestHeld(sides.target, repository, reference);

  beforeAll(async () => {
    sides = await signedSides('images');
    const at = (registry: string, repository: string, tag?: string) =>
      publishImage(
        sides.source.host,
        { registry, repository, ...(tag !== undefined && { tag }) },
        { seed: `${registry}/${repository}` },
      );
    tool = await at('quay.io', 'team/tool', '1.4');
    web = await at('docker.io', 'web/front', '2');
    await at('docker.io', 'library/nginx', '1.16.0');
    other = await at('quay.io', 'team/other');
    await at('ghcr.io', 'second/team/tool', '1.4');
    const signer = await makeReleaseSigner();
    const made = await makeReleaseIn(sides.source, sides.place('release'), {
      ...{ version: '4.17.3', signer, components: 2, scale: 0.0002 },
    });
    fetching = [
      ...['--mirror', `docker.io=${sides.source.host}`],
      ...['--mirror', `ghcr.io=${sides.source.host}/second`],
      ...['--release-key', made.releaseKey],
    ];
    release = ['4.17.3', '--signature-store', made.signatureStore];
    trust = ['--release-key', made.releaseKey, '--trusted-key', sides.place('packer.pub')];
  });
  afterAll(() => sides.remove());

  it('holds them beside a release, each with its signatures, and every reader agrees', async () => {
    const { status, stdout, stderr } = await pack('both', ...release, ...images());
    expect(status, stderr).toBe(0);
    expect(stdout).toContain('quay.io/team/tool:1.4, to team/tool:1.4, with 2 signatures');
    expect(stdout).toContain('docker.io/library/nginx:1.16.0, to nginx:1.16.0');
    const file = join(sides.place('both'), 'ocp-4.17.3-x86_64.tar.zst');
    const { bundle } = (await sides.operator.json(['inspect', file, ...trust])) as {
      bundle: { parts: { kind: string; reference: string; path: string; images: unknown[] }[] };
    };
    expect(bundle.parts.map(({ kind, path }) => [kind, path])).toEqual([
      ['image', 'mine/renamed'],
      ['image', 'nginx'],
      ['image', 'team/other'],
      ['image', 'team/tool'],
      ['image', 'web/front'],
      ['release', undefined],
    ]);
    expect(bundle.parts[3]).toMatchObject({ reference: 'quay.io/team/tool:1.4', digest: tool });
    expect(bundle.parts[3]!.images).toHaveLength(3);
    const keys = ['--trusted-key', sides.place('packer.pub'), '--release-key', trust[1]!];
    expect(await secondVerdict([...keys, file])).toEqual({ status: 0, message: '' });
    expect(await sides.operator.bundle(['verify', file, ...trust])).toMatchObject({ status: 0 });
  });

  it('is refused where nobody is trusted: nothing else proves the images', async () => {
    const { status, stderr } = await sides.operator.bundle([
      'verify',
      sides.place('both'),
      ...trust.slice(0, 2),
    ]);
    expect(status).toBe(21);
    expect(stderr).toContain('no release signature covers quay.io/team/other@');
    const file = join(sides.place('both'), 'ocp-4.17.3-x86_64.tar.zst');
    expect((await secondVerdict(['--release-key', trust[1]!, file])).status).toBe(21);
  });

  it('arrives with every image at its place, by tag and by digest, with its signatures', async () => {
    const to = `${sides.target.host}/site`;
    const args = [
      'unpack',
      sides.place('both'),
      '--to',
      to,
      '--resources-dir',
      sides.place('files'),
      ...trust,
    ];
    const { status, stderr } = await sides.operator.bundle(args);
    expect(status, stderr).toBe(0);
    expect(await digestAt('site/team/tool', '1.4')).toBe(tool);
    expect(await digestAt('site/web/front', '2')).toBe(web);
    expect(await digestAt('site/nginx', '1.16.0')).not.toBeNull();
    expect(await digestAt('site/team/other', `sha256-${hexOf(other)}`)).toBe(other);
    expect(await digestAt('site/mine/renamed', 'v1')).toBe(other);
    const index = (await (
      await fetch(`${sides.target.url}/v2/site/mine/renamed/manifests/v1`, {
        headers: { accept: MANIFEST_TYPES.join(', ') },
      })
    ).json()) as { manifests: { digest: string }[] };
    for (const { digest } of index.manifests)
      for (const repository of ['site/mine/renamed', 'site/team/other'])
        expect(await digestAt(repository, `${digest.replace(':', '-')}.sig`)).not.toBeNull();
    const at = ['verify', sides.place('both'), '--at', to, '--deep', ...trust];
    expect(await sides.operator.bundle(at)).toMatchObject({ status: 0 });
  });

  it('gives clusters mirrors for what they ask for by tag apart from the rest', async () => {
    const rows = new Map<string, readonly [string, readonly string[]][]>();
    for (const name of (await readdir(sides.place('files'))).filter((each) =>
      /^i[dt]ms.*yaml$/.test(each),
    ))
      for (const document of parseAllDocuments(
        await readFile(join(sides.place('files'), name), 'utf8'),
      )) {
        const { kind, spec } = document.toJS() as Rows;
        const list = spec.imageTagMirrors ?? spec.imageDigestMirrors ?? [];
        rows.set(
          kind,
          list.map(({ source: from, mirrors }) => [from, mirrors]),
        );
      }
    const site = `${sides.target.host}/site`;
    expect(rows.get('ImageTagMirrorSet')).toEqual([
      ['docker.io/library/nginx', [`${site}/nginx`]],
      ['docker.io/web/front', [`${site}/web/front`]],
      ['quay.io/team/tool', [`${site}/team/tool`]],
    ]);
    expect(rows.get('ImageDigestMirrorSet')).toContainEqual([
      'quay.io/team/other',
      [`${site}/mine/renamed`, `${site}/team/other`],
    ]);
  });

  it('tells a tag that was changed at the target', async () => {
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const put = await fetch(`${sides.target.url}/v2/site/team/tool/manifests/1.4`, {
      method: 'PUT',
      headers: { 'content-type': mediaType },
      body: JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] }),
    });
    expect(put.status).toBe(201);
    const at = ['verify', sides.place('both'), '--at', `${sides.target.host}/site`, ...trust];
    const { status, stdout } = await sides.operator.bundle([...at, '--output', 'json']);
    expect(status).toBe(20);
    const subject = `${sides.target.host}/site/team/tool:1.4`;
    expect(JSON.parse(stdout)).toMatchObject({
      differences: [{ what: 'tag', flaw: 'other', subject, digest: tool }],
    });
    const again = ['unpack', sides.place('both'), '--to', `${sides.target.host}/site`, ...trust];
    expect(await sides.operator.bundle(again)).toMatchObject({ status: 27 });
  });

  it('needs no release, and gets its name from a single image', async () => {
    const { status, stderr } = await pack('alone', '--image', 'quay.io/team/tool:1.4');
    expect(status, stderr).toBe(0);
    const file = join(sides.place('alone'), 'image-tool-1.4.tar.zst');
    const keys = ['--trusted-key', sides.place('packer.pub')];
    expect(await secondVerdict([...keys, file])).toEqual({ status: 0, message: '' });
    const to = `${sides.target.host}/alone`;
    const files = ['--resources-dir', sides.place('alone-files')];
    const unpacked = await sides.operator.bundle(['unpack', file, '--to', to, ...files, ...keys]);
    expect(unpacked.status, unpacked.stderr).toBe(0);
    expect(await digestAt('alone/team/tool', '1.4')).toBe(tool);
    const steps = await readFile(join(sides.place('alone-files'), 'next-steps.txt'), 'utf8');
    expect(steps).toContain(`  ${to}/team/tool\n`);
    expect(steps).not.toContain('openshift/release');
  });

  it('is unpacked into an image layout under names that other programs know', async () => {
    const layout = sides.place('layout');
    const args = ['unpack', sides.place('both'), '--to', `oci:${layout}`, ...trust];
    expect(await sides.operator.bundle(args)).toMatchObject({ status: 0 });
    const { manifests } = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
      manifests: { digest: string; annotations?: Record<string, string> }[];
    };
    const names = new Map(
      manifests.map(({ digest, annotations }) => [
        annotations?.['org.opencontainers.image.ref.name'],
        digest,
      ]),
    );
    expect(names.get('team/tool:1.4')).toBe(tool);
    expect(names.get('mine/renamed:v1')).toBe(other);
    const at = ['verify', sides.place('both'), '--at', `oci:${layout}`, ...trust];
    expect(await sides.operator.bundle(at)).toMatchObject({ status: 0 });
  });

  it('is refused where two images would overwrite each other, both named', async () => {
    const both = ['--image', 'quay.io/team/tool:1.4', '--image', 'ghcr.io/team/tool:1.4'];
    const { status, stderr } = await pack('clash', ...both, '--name', 'clash');
    expect(status).toBe(2);
    expect(stderr).toContain(
      'ghcr.io/team/tool:1.4 and quay.io/team/tool:1.4 are different images',
    );
    expect(stderr).toContain('team/tool:1.4');
    const apart = ['--image', 'quay.io/team/tool:1.4', '--image', 'ghcr.io/team/tool:1.4=gh/tool'];
    expect(await pack('clash', ...apart, '--name', 'apart')).toMatchObject({ status: 0 });
  });

  it('is refused where joined paths would be one', async () => {
    const both = [
      ...['--image', 'quay.io/team/tool:1.4=a/b/c-d:1'],
      ...['--image', `quay.io/team/other@${other}=a/b-c/d:1`],
    ];
    expect(await pack('joined', ...both, '--name', 'joined')).toMatchObject({ status: 0 });
    const to = ['--to', `${sides.target.host}/joined`, '--max-nested-paths', '2', '--dry-run'];
    const args = [
      'unpack',
      sides.place('joined'),
      ...to,
      '--trusted-key',
      sides.place('packer.pub'),
    ];
    const { status, stderr } = await sides.operator.bundle(args);
    expect(status).toBe(2);
    expect(stderr).toContain('joined/a-b-c-d:1');
  });

  it.each([
    ['no tag', 'quay.io/team/tool', 2],
    ['another tag that is none', 'quay.io/team/tool:1.4=a:b:c', 2],
    ['a path that is none', 'quay.io/team/tool:1.4=A/B', 2],
    ['a tag that does not exist', 'quay.io/team/tool:9', 23],
  ])('is refused for %s', async (_, image, expected) => {
    expect((await pack('refused', '--image', image)).status).toBe(expected);
  });

  it('is refused where an option is about releases, and none is asked for', async () => {
    const ended = await pack('refused', '--image', 'quay.io/team/tool:1.4', '--arch', 'aarch64');
    expect(ended.status).toBe(2);
    expect(ended.stderr).toContain('--arch is about releases');
  });

  it('is refused at a target where it would be taken for a release', async () => {
    const stray = ['--image', 'quay.io/team/tool:1.4=openshift/release-images:1'];
    expect(await pack('stray', ...stray)).toMatchObject({ status: 0 });
    const args = [
      'unpack',
      sides.place('stray'),
      '--to',
      sides.target.host,
      '--trusted-key',
      sides.place('packer.pub'),
    ];
    const { status, stderr } = await sides.operator.bundle(args);
    expect(status).toBe(2);
    expect(stderr).toContain('which is for release images alone');
  });

  it('is refused at a target with the tag by which a prune is seen', async () => {
    const locking = ['--image', 'quay.io/team/tool:1.4=openshift/release:bundle-prune'];
    expect(await pack('locking', ...locking)).toMatchObject({ status: 0 });
    const to = ['--to', `${sides.target.host}/locked`, '--trusted-key', sides.place('packer.pub')];
    const { status, stderr } = await sides.operator.bundle([
      ...['unpack', sides.place('locking'), ...to],
    ]);
    expect(status).toBe(2);
    expect(stderr).toContain('locked/openshift/release:bundle-prune');
  });

  it('is continued after a run that was ended', async () => {
    const image = ['--image', 'quay.io/team/tool:1.4', '--volume-size', '40k'];
    const first = await pack('again', ...image, '--stop-after', '1');
    expect(first.status, first.stderr).toBe(30);
    const { status, stderr } = await pack('again', ...image);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('reading the manifests of image-tool-1.4.tar.zst.001');
    expect(stderr).toContain('of an earlier run');
    const keys = ['--trusted-key', sides.place('packer.pub')];
    expect(await sides.operator.bundle(['verify', sides.place('again'), ...keys])).toMatchObject({
      status: 0,
    });
  });

  it('is copied from registry to registry', async () => {
    const to = [
      '--to',
      `${sides.target.host}/mirrored`,
      '--resources-dir',
      sides.place('mirrored'),
    ];
    const args = [
      'mirror',
      '--image',
      'quay.io/team/tool:1.4',
      ...to,
      ...sides.sources,
      ...fetching,
    ];
    const { status, stderr } = await sides.packer.bundle(args);
    expect(status, stderr).toBe(0);
    expect(await digestAt('mirrored/team/tool', '1.4')).toBe(tool);
  });
});
