import { gzipSync } from 'node:zlib';

import { beforeEach, describe, expect, it } from 'vitest';

import { streamOf } from '../../../../src/core/bytes.ts';
import type { Descriptor } from '../../../../src/core/descriptor.ts';
import { type Digest, digestOf } from '../../../../src/core/digest.ts';
import type { JsonObject } from '../../../../src/core/json.ts';
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '../../../../src/core/media-types.ts';
import { AttachedImages } from '../../../../src/kinds/attached.ts';
import { catalogKind } from '../../../../src/kinds/catalog/catalog.ts';
import { CONFIGS_LABEL } from '../../../../src/kinds/catalog/catalog-config.ts';
import type { CatalogFacts } from '../../../../src/kinds/catalog/expand.ts';
import { parseTarget, planDestinations } from '../../../../src/kinds/destinations.ts';
import type { Part } from '../../../../src/kinds/kind.ts';
import { MemoryStore } from '../../../../src/stores/memory.ts';
import { ManifestWalker } from '../../../../src/transfer/walk.ts';
import { tarEntry } from '../../../support/crafted-tar.ts';

let store: MemoryStore;

beforeEach(() => {
  store = new MemoryStore('bundle');
});

async function put(mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await store.push(descriptor, streamOf(bytes));
  return descriptor;
}

async function imageOf(config: object, layer: Uint8Array): Promise<Digest> {
  const [own, blob] = [
    await put(OCI_CONFIG, Buffer.from(JSON.stringify(config))),
    await put(OCI_LAYER_GZIP, layer),
  ];
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: own, layers: [blob] };
  return (await put(OCI_MANIFEST, Buffer.from(JSON.stringify(manifest)))).digest;
}

const anyImage = (name: string): Promise<Digest> => imageOf({ name }, Buffer.from(name));

interface Made {
  readonly claim: JsonObject;
  readonly operand: Digest;
  readonly tagged: Digest;
}

/** A catalog in a store, with the images that it names, and its row. */
async function made({ defaultChannel = 'stable' } = {}): Promise<Made> {
  const [operand, tagged] = [await anyImage('operand'), await anyImage('tagged')];
  const documents = [
    { schema: 'olm.package', name: 'foo', defaultChannel },
    { schema: 'olm.channel', package: 'foo', name: 'stable', entries: [{ name: 'foo.v1.0.0' }] },
    {
      ...{ schema: 'olm.bundle', package: 'foo', name: 'foo.v1.0.0' },
      image: `quay.io/ops/foo@${operand}`,
      properties: [{ type: 'olm.package', value: { packageName: 'foo', version: '1.0.0' } }],
      relatedImages: [{ image: 'quay.io/ops/tagged:v1' }, { image: `quay.io/ops/foo@${operand}` }],
    },
  ];
  const text = Buffer.from(documents.map((document) => JSON.stringify(document)).join('\n'));
  const layer = gzipSync(
    Buffer.concat([tarEntry('configs/foo/catalog.json', text, 0), Buffer.alloc(1024)]),
  );
  const digest = await imageOf({ config: { Labels: { [CONFIGS_LABEL]: '/configs' } } }, layer);
  const claim = {
    ...{ reference: 'quay.io/ops/index:v1', digest, from: digestOf('another'), path: 'ops/index' },
    ...{ tag: 'v1', pinned: { 'quay.io/ops/tagged:v1': tagged } },
    why: { 'foo/foo.v1.0.0': ['head of stable'] },
  };
  return { claim, operand, tagged };
}

/** What a reader derives from the row. */
async function derived(claim: JsonObject): Promise<Part<CatalogFacts>> {
  const signal = new AbortController().signal;
  const walker = new ManifestWalker({ concurrency: 2, signal });
  const attached = new AttachedImages(walker, { concurrency: 2, signal, referrers: false });
  const seed = await catalogKind.read(claim, new Map(), { releaseKeys: [], now: new Date(0) });
  return catalogKind.expand(
    seed,
    { root: store, storeOf: () => store, holdsMade: true },
    { walker, attached, lookups: 2, signal, observe: () => undefined },
  );
}

describe('a catalog in a bundle', () => {
  it('is derived from its image: the images that its bundles name, each once', async () => {
    const { claim, operand, tagged } = await made();
    const part = await derived(claim);
    expect(part.claim).toEqual(claim);
    expect(part.images.map(({ request }) => [request.source, request.place, request.tags])).toEqual(
      [
        [`quay.io/ops/foo@${operand}`, '/ops/foo', [operand.replace(':', '-')]],
        [`quay.io/ops/tagged@${tagged}`, '/ops/tagged', ['v1']],
        [`quay.io/ops/index@${part.facts.digest}`, '/ops/index', ['v1']],
      ],
    );
    expect(part.facts.packages).toEqual([
      {
        ...{ name: 'foo', defaultChannel: 'stable', heads: { stable: 'foo.v1.0.0' } },
        bundles: [
          {
            ...{ name: 'foo.v1.0.0', version: '1.0.0', channels: ['stable'] },
            ...{ image: `quay.io/ops/foo@${operand}`, digest: operand },
            ...{ updates: { stable: {} }, reasons: ['head of stable'] },
          },
        ],
      },
    ]);
    expect(part.leading.map(({ mediaType }) => mediaType)).toEqual([OCI_CONFIG, OCI_LAYER_GZIP]);
  });

  it('keeps the template of the object that offers it', async () => {
    const { claim } = await made();
    const template = { labels: {}, annotations: { note: 'ours' }, spec: { priority: 10 } };
    const part = await derived({ ...claim, template });
    expect(part.claim).toEqual({ ...claim, template });
    const { files } = catalogKind.resources(
      part,
      planDestinations({ to: parseTarget('r.example.com/site') }),
    );
    expect(files[0]!.objects[0]).toMatchObject({
      metadata: { annotations: { note: 'ours' } },
      spec: { priority: 10, sourceType: 'grpc' },
    });
  });

  it.each<[string, (claim: JsonObject) => JsonObject]>([
    ['a tag that is not pinned', (claim) => ({ ...claim, pinned: {} })],
    [
      'a pinned tag that no bundle names',
      ({ pinned, ...claim }) => ({
        ...claim,
        pinned: { ...(pinned as JsonObject), 'quay.io/ops/odd:1': digestOf('odd') },
      }),
    ],
    ['a reason for a bundle that it lacks', (claim) => ({ ...claim, why: { 'foo/foo.v2': [] } })],
  ])('is refused with %s', async (_, change) => {
    const { claim } = await made();
    await expect(derived(change(claim))).rejects.toMatchObject({ code: 'CLOSURE_MISMATCH' });
  });

  it('is refused where its row says what the catalog is not', async () => {
    const { claim } = await made();
    const skippedBundles = { 'foo/foo.v1.0.0': 'it is broken' };
    await expect(derived({ ...claim, skippedBundles })).rejects.toMatchObject({
      code: 'CLOSURE_MISMATCH',
      message: expect.stringContaining('which was left out') as string,
    });
    // Nobody has filtered it so that OLM takes it.
    const bad = await made({ defaultChannel: 'gone' });
    await expect(derived(bad.claim)).rejects.toMatchObject({
      code: 'CLOSURE_MISMATCH',
      message: expect.stringContaining('OLM would refuse it: package foo') as string,
    });
  });

  it('may be one that OLM refuses, where that is said', async () => {
    const { claim } = await made({ defaultChannel: 'gone' });
    const { facts, claim: again } = await derived({ ...claim, filter: 'oc-mirror' });
    expect(again).toEqual({ ...claim, filter: 'oc-mirror' });
    expect(facts).toMatchObject({ filter: 'oc-mirror', profile: 'content', isRunnable: false });
    expect(facts.findings).toMatchObject([{ rule: 'default-channel', package: 'foo' }]);
    const whole = await derived({ ...claim, from: claim['digest']! });
    expect(whole.facts).toMatchObject({ filter: undefined, profile: 'verbatim' });
    expect(whole.facts.findings).toHaveLength(1);
  });

  it('goes without related images as its row says, and is another part then', async () => {
    const { claim, operand } = await made();
    const other = { ...claim, pinned: {}, skipRelated: ['quay.io/ops/tagged*'] };
    const { facts, images, claim: again } = await derived(other);
    expect(again).toEqual(other);
    expect(images.map(({ request }) => request.source)).toEqual([
      `quay.io/ops/foo@${operand}`,
      `quay.io/ops/index@${facts.digest}`,
    ]);
    expect(facts.skippedImages).toEqual(['quay.io/ops/tagged:v1']);
    expect(catalogKind.digestOfClaim!(other)).not.toBe(catalogKind.digestOfClaim!(claim));
    expect(catalogKind.packWords([{ ...other, filter: 'oc-mirror' }])).toEqual([
      ...['--catalog', 'quay.io/ops/index:v1', '--filter', 'oc-mirror'],
      ...['--skip-related', "'quay.io/ops/tagged*'"],
    ]);
  });

  it('is refused where an image that it names is not there', async () => {
    const { claim } = await made();
    const pinned = { 'quay.io/ops/tagged:v1': digestOf('gone') };
    await expect(derived({ ...claim, pinned })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('bundle foo.v1.0.0 of package foo') as string,
    });
  });

  it('gives clusters mirrors as they ask: by tag only where nothing else is known', async () => {
    const { claim } = await made();
    const { mirrors, files } = catalogKind.resources(
      await derived(claim),
      planDestinations({ to: parseTarget('r.example.com/site') }),
    );
    expect(mirrors).toEqual([
      {
        ...{ source: 'quay.io/ops/foo', mirror: 'r.example.com/site/ops/foo' },
        ...{ knownBy: 'digest', group: 'operator' },
      },
      {
        ...{ source: 'quay.io/ops/tagged', mirror: 'r.example.com/site/ops/tagged' },
        ...{ knownBy: 'tag', group: 'operator' },
      },
    ]);
    expect(files.map(({ name, objects }) => [name, objects[0]?.kind])).toEqual([
      ['operators/cs-index-v1.yaml', 'CatalogSource'],
      ['operators/cc-index-v1.yaml', 'ClusterCatalog'],
    ]);
  });
});

describe('the row of a catalog', () => {
  it.each([
    { reference: 'index:v1' },
    { digest: 'sha256:1' },
    { from: undefined },
    { path: '../x' },
    { tag: 'a/b' },
    { pinned: [] },
    { pinned: { 'quay.io/a/b:1': 'x' } },
    { why: { 'foo/foo.v1.0.0': 'text' } },
    { template: 'text' },
    { template: { labels: {}, annotations: {} } },
    { template: { labels: {}, annotations: {}, spec: {}, name: 'x' } },
    { template: { labels: { a: 1 }, annotations: {}, spec: {} } },
    { template: { labels: {}, annotations: {}, spec: { configMap: 'x' } } },
    { filter: 'strict' },
    { filter: null },
    { skipRelated: 'x' },
    { skippedBundles: { 'foo/foo.v1.0.0': 1 } },
    { droppedBundles: { 'foo/foo.v2.0.0': 'gone' } },
    { droppedBundles: { 'foo/foo.v2.0.0': { image: 1, reason: 'not-found' } } },
    { droppedBundles: { 'foo/foo.v2.0.0': { image: 'quay.io/a/b:1', reason: 'mood' } } },
    {
      droppedBundles: {
        'foo/foo.v2.0.0': { image: 'quay.io/a/b:1', reason: 'not-found', lacks: 'x' },
      },
    },
  ])('is refused with %j', async (wrong) => {
    const { claim } = await made();
    const other = { ...claim, ...wrong } as JsonObject;
    await expect(derived(other)).rejects.toMatchObject({ name: 'BundleError' });
    expect(catalogKind.digestOfClaim!(other)).toBeUndefined();
  });
});
