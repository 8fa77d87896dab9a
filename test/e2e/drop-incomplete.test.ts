import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { anonymous } from '../../src/core/credentials.ts';
import type { Digest } from '../../src/core/digest.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import { documentEntry, publishDocuments } from '../support/catalog-image.ts';
import type { Decide } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { publishOperators } from '../support/operators.ts';
import { bundleIn } from '../support/opened-bundle.ts';
import { secondVerdict } from '../support/second-reader.ts';
import { mended, type SignedSides, signedSides } from '../support/signed-sides.ts';

interface Skipped {
  readonly package: string;
  readonly bundle: string;
  readonly cause: string;
  readonly lacking?: { readonly image: string; readonly reason: string; readonly lacks?: Digest };
}

interface CatalogPart {
  readonly packages: readonly {
    readonly name: string;
    readonly bundles: readonly { readonly name: string }[];
  }[];
  readonly skippedBundles: readonly Skipped[];
}

interface Packed {
  readonly bundleDigest: string;
  readonly parts: readonly CatalogPart[];
  readonly holes: readonly { readonly source: string; readonly lacks?: Digest }[];
}

const NOT_THERE = { kind: 'answer', status: 404 } as const;

/** Catalogs whose operators have images that their registry does not give. */
describeWith(['docker-registry', 'python3'], 'a catalog without what lacks images', () => {
  let sides: SignedSides;
  let images: ReadonlyMap<string, Digest>;

  const dropping = ['--incomplete', '--drop-incomplete'];
  const index = ['--catalog', 'quay.io/ops/index:v4.22'];
  const both = [...index, '--operator', 'foo', '--operator', 'bar'];
  /** Packs with status 30. */
  const packed = async (
    output: string,
    ...more: readonly string[]
  ): Promise<Packed & { readonly stderr: string }> => {
    const args = [...sides.packArgs(output, ...more), '--output', 'json'];
    const { status, stdout, stderr } = await sides.packer.bundle(args);
    expect(status, stderr).toBe(30);
    return { ...(JSON.parse(stdout) as Packed), stderr };
  };
  const gone = (...repositories: readonly string[]): Decide => {
    return ({ url }) =>
      repositories.some((one) => url.includes(`/ops/${one}/manifests/`)) ? NOT_THERE : undefined;
  };
  const namesOf = ({ parts }: Packed): readonly string[] =>
    parts[0]!.packages.flatMap(({ bundles }) => bundles.map(({ name }) => name)).sort();
  const fileIn = async (folder: string): Promise<string> => bundleIn(sides.place(folder));
  /** Nothing is missing of what the bundle claims to be: the catalog arrives, and is named. */
  const expectWhole = async (output: string, names: readonly string[]): Promise<void> => {
    const file = await fileIn(output);
    expect(await sides.operator.bundle(['verify', file, ...sides.trust])).toMatchObject({
      status: 0,
    });
    expect(await secondVerdict([...sides.trust, file])).toEqual({ status: 0, message: '' });
    const [to, files] = [`${sides.target.host}/${output}`, sides.place(`${output}-files`)];
    const unpacked = await sides.operator.bundle([
      ...['unpack', file, '--to', to, '--resources-dir', files, ...sides.trust],
    ]);
    expect(unpacked.status, unpacked.stderr).toBe(0);
    expect(await readFile(join(files, 'operators/cs-index-v4-22.yaml'), 'utf8')).toContain(to);
    expect(await readFile(join(files, 'operators/cc-index-v4-22.yaml'), 'utf8')).toContain(to);
    await expectCatalog(to, names);
  };
  const expectCatalog = async (to: string, names: readonly string[]): Promise<void> => {
    const at = `${to}/ops/index:v4.22`;
    const checked = await sides.operator.bundle(['catalog', 'check', at]);
    expect(checked.status, checked.stdout).toBe(0);
    const { packages } = (await sides.operator.json(['catalog', 'list', at])) as {
      readonly packages: readonly { readonly name: string; readonly newest: string }[];
    };
    expect(packages.map(({ name, newest }) => `${name}.v${newest}`).sort()).toEqual(names);
  };

  beforeAll(async () => {
    sides = await signedSides('drop-incomplete');
    ({ images } = await publishOperators(sides.source.host));
  });
  beforeEach(() => sides.asAtFirst());
  afterAll(() => sides.remove());

  it('goes without a version whose image is gone, and an older one takes its place', async () => {
    sides.decide = gone('foo-bundle');
    const image = `quay.io/ops/foo-bundle@${images.get('foo-bundle')!}`;
    const dry = await packed('gone', ...both, ...dropping, '--dry-run');
    const done = await packed('gone', ...both, ...dropping);
    expect(done.holes).toEqual([]);
    expect(done.bundleDigest).toBe(dry.bundleDigest);
    expect(namesOf(done)).toEqual(['bar.v0.1.0', 'foo.v1.0.0']);
    const skipped = [
      {
        ...{ package: 'foo', bundle: 'foo.v1.1.0' },
        cause: `its image ${image} could not be had (not-found)`,
        lacking: { image, reason: 'not-found' },
      },
    ];
    expect(done.parts[0]!.skippedBundles).toEqual(skipped);
    expect(done.stderr).toContain(`foo.v1.1.0 is left out: its image ${image}`);
    await expectWhole('gone', ['bar.v0.1.0', 'foo.v1.0.0']);
    const { bundle } = (await sides.operator.json([
      'inspect',
      await fileIn('gone'),
      ...sides.trust,
    ])) as {
      readonly bundle: Packed;
    };
    expect(bundle.parts[0]!.skippedBundles).toEqual(skipped);
    const again = await sides.packer.bundle(sides.packArgs('gone', ...both, ...dropping));
    expect(again.status, again.stderr).toBe(30);
    expect(again.stdout).toContain('NOT COMPLETE: 1 version of an operator is left out');
    expect(again.stdout).toMatch(/foo\/foo\.v1\.1\.0 .*its source does not have it/);
  });

  it('starts again without a version whose layer or config is broken', async () => {
    sides.decide = ({ url, method }) =>
      url.includes('/ops/foo-operator/blobs/') && method === 'GET'
        ? { kind: 'flip', at: 5 }
        : undefined;
    const { holes, parts, bundleDigest, stderr } = await packed('broken', ...both, ...dropping);
    expect(holes).toEqual([]);
    expect(stderr).toContain('packing again without');
    expect(parts[0]!.skippedBundles).toMatchObject([
      {
        bundle: 'foo.v1.1.0',
        lacking: {
          image: `quay.io/ops/foo-operator@${images.get('foo-operator')!}`,
          ...{ reason: 'wrong-content', lacks: expect.stringContaining('sha256:') as string },
        },
      },
    ]);
    expect(await readdir(sides.place('broken'))).not.toContainEqual(
      expect.stringContaining('partial'),
    );
    await expectWhole('broken', ['bar.v0.1.0', 'foo.v1.0.0']);
    // A patch is of the catalog as it was packed, though its images are there again.
    const { decide } = sides;
    sides.decide = undefined;
    await mended(sides, await fileIn('broken'), both, sides.trust);
    sides.decide = decide;
    // What was missing is tried again, and the bundle that is finished is that one still.
    expect(await packed('broken', ...both, ...dropping)).toMatchObject({ bundleDigest });
  });

  it('goes without an image whose tag is not there any more', async () => {
    sides.decide = gone('foo-operator');
    const done = await packed('tag', ...index, '--operator', 'foo', ...dropping);
    expect(namesOf(done)).toEqual(['foo.v1.0.0']);
    expect(done.parts[0]!.skippedBundles).toMatchObject([
      { lacking: { image: 'quay.io/ops/foo-operator:v1', reason: 'not-found' } },
    ]);
    await expectWhole('tag', ['foo.v1.0.0']);
  });

  it.each<[string, readonly string[], readonly string[]]>([
    ['the only version of an operator', ['bar-bundle'], ['bar/bar.v0.1.0']],
    [
      'one version, and then the one before it',
      ['foo-bundle', 'foo-old'],
      ['foo/foo.v1.1.0', 'foo/foo.v1.0.0'],
    ],
  ])('stays as it is where it lacks %s', async (_, repositories, names) => {
    sides.decide = gone(...repositories);
    const output = repositories.join('-');
    const { holes, parts, stderr } = await packed(output, ...both, ...dropping);
    expect(holes.map(({ source: of }) => of)).toEqual([
      `quay.io/ops/${repositories[0]!}@${images.get(repositories[0]!)!}`,
    ]);
    expect(parts[0]!.skippedBundles).toEqual([]);
    expect(stderr).toContain('catalog quay.io/ops/index:v4.22 LACKS IMAGES, and nothing is left');
    expect(stderr).toContain(`has no version without ${names.join(', ')}`);
    expect(stderr).not.toMatch(/v\d+\.\d+\.\d+ is left out/);
    const [file, to] = [await fileIn(output), `${sides.target.host}/${output}`];
    const unpacked = await sides.operator.bundle([
      ...[
        'unpack',
        file,
        '--to',
        to,
        '--resources-dir',
        sides.place(`${output}-files`),
        ...sides.trust,
      ],
    ]);
    expect(unpacked.status, unpacked.stderr).toBe(30);
    expect(unpacked.stdout).toContain('Held back: catalog quay.io/ops/index:v4.22');
  });

  it('stays as it is where a channel would have no version left', async () => {
    const bundle = (version: string, name: string): object => ({
      ...{ schema: 'olm.bundle', package: 'two', name: `two.v${version}` },
      image: `quay.io/ops/${name}@${images.get(name)!}`,
      properties: [{ type: 'olm.package', value: { packageName: 'two', version } }],
    });
    const channel = (name: string, ...versions: readonly string[]): object => ({
      ...{ schema: 'olm.channel', package: 'two', name },
      entries: versions.map((version) => ({ name: `two.v${version}` })),
    });
    const documents = [
      { schema: 'olm.package', name: 'two', defaultChannel: 'stable' },
      ...[channel('stable', '1.0.0'), channel('candidate', '1.1.0')],
      ...[bundle('1.0.0', 'foo-old'), bundle('1.1.0', 'bar-bundle')],
    ];
    const client = new RegistryClient({ credentials: anonymous, ca: [] });
    try {
      await publishDocuments(
        client.repository({ registry: sides.source.host, repository: 'ops/two' }),
        [
          documentEntry(
            'two/catalog.json',
            Buffer.from(documents.map((d) => JSON.stringify(d)).join('\n')),
          ),
        ],
        'v1',
      );
    } finally {
      await client.close();
    }
    sides.decide = gone('bar-bundle');
    const two = ['--catalog', 'quay.io/ops/two:v1', '--operator', 'two'];
    const { holes, parts, stderr } = await packed('channel', ...two, ...dropping);
    expect(holes).toHaveLength(1);
    expect(parts[0]!.skippedBundles).toEqual([]);
    expect(stderr).toContain(
      'without two/two.v1.1.0, nothing is left of channel candidate of package two',
    );
  });

  it('stays as it is where all of it is carried, and nobody has filtered it', async () => {
    sides.decide = gone('foo-bundle');
    const { holes, stderr } = await packed('whole', ...index, '--whole-catalog', ...dropping);
    expect(holes).toHaveLength(1);
    expect(stderr).toContain('nothing is left out of it: it is carried as it is');
  });

  it('is mirrored without what is gone, and without what breaks on the way', async () => {
    sides.decide = ({ url, method }) =>
      url.includes('/ops/foo-operator/blobs/') && method === 'GET'
        ? { kind: 'flip', at: 5 }
        : undefined;
    const to = `${sides.target.host}/mirrored`;
    const mirrored = await sides.packer.bundle([
      ...['mirror', '--to', to, '--resources-dir', sides.place('mirrored-files'), ...sides.sources],
      ...[...both, ...dropping],
    ]);
    expect(mirrored.status, mirrored.stderr).toBe(30);
    expect(mirrored.stdout).toContain('LEFT OUT of the catalog');
    await expectCatalog(to, ['bar.v0.1.0', 'foo.v1.0.0']);
    expect(await readdir(sides.place('mirrored-files'))).toContain('operators');
  });

  it('is complete with status 0 where nothing is missing', async () => {
    const { status, stderr } = await sides.packer.bundle(
      sides.packArgs('nothing', ...both, ...dropping),
    );
    expect(status, stderr).toBe(0);
    await expectWhole('nothing', ['bar.v0.1.0', 'foo.v1.1.0']);
  });

  it.each<[string, readonly string[], string]>([
    ['alone', [...both, '--drop-incomplete'], 'only with --incomplete'],
    [
      'with the filter of oc-mirror',
      [...both, ...dropping, '--filter', 'oc-mirror'],
      '--drop-incomplete and --filter oc-mirror exclude each other',
    ],
    ['for a completion', ['--complete', 'x.tar.zst', ...dropping], '--complete and --drop-inc'],
  ])('is refused %s', async (_, more, text) => {
    const { status, stderr } = await sides.packer.bundle(sides.packArgs('no', ...more));
    expect(status, stderr).toBe(2);
    expect(stderr).toContain(text);
  });
});
