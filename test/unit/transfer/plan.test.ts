import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { MAX_MANIFEST_BYTES, MAX_METADATA_BYTES } from '../../../src/core/limits.ts';
import { DOCKER_LAYER, OCI_INDEX, OCI_MANIFEST } from '../../../src/core/media-types.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import type { ImageRequest } from '../../../src/transfer/image.ts';
import {
  type ContentPlan,
  checkMetadataSize,
  imagesUsing,
  planContent,
  usersOf,
} from '../../../src/transfer/plan.ts';
import { ManifestWalker } from '../../../src/transfer/walk.ts';
import { type Held, imageIndex, imageManifest } from '../../contract/content.ts';
import { configOf, keep, layerOf, manifestOf, planOf, requestFor } from './images.ts';

const digests = (list: readonly { readonly descriptor: Descriptor }[]): string[] =>
  list.map(({ descriptor }) => descriptor.digest);
const namesOf = (list: readonly { readonly name: string }[]): string[] =>
  list.map(({ name }) => name);

let store: MemoryStore;
beforeEach(() => {
  store = new MemoryStore();
});

/** An image in the store: its manifest. Its blobs are not there: planning must not need them. */
async function image(name: string, layers: readonly Held[]): Promise<Held> {
  const manifest = manifestOf(name, layers);
  await keep(store, manifest);
  return manifest;
}

function request(name: string, manifest: Held, other: Partial<ImageRequest> = {}): ImageRequest {
  return requestFor(name, manifest, store, other);
}

interface Part {
  readonly requests: readonly ImageRequest[];
  readonly leading: readonly Held[];
}

async function planLed(...parts: readonly Part[]): Promise<ContentPlan> {
  const walker = new ManifestWalker({ concurrency: 3 });
  const walked = parts.map(async ({ requests, leading }) => ({
    images: await walker.walk(requests),
    leading: leading.map(({ descriptor }) => descriptor),
  }));
  return planContent(await Promise.all(walked));
}

describe('planContent', () => {
  it('lets one digest go to several paths, and to a place with a purpose as well', async () => {
    const one = await image('one', [layerOf('base')]);
    const to = (place: ImageRequest['place'], tag: string): Part => ({
      requests: [request('one', one, { place, tags: [tag] })],
      leading: [],
    });
    const { images, manifests } = await planLed(to('/a', '1'), to('/b', '1'), to('/a', '2'));
    expect(images.map(({ place, tags, parts }) => [place, tags, parts])).toEqual([
      ['/a', ['1', '2'], [0, 2]],
      ['/b', ['1'], [1]],
    ]);
    expect(manifests).toHaveLength(1);
    const both = await planLed(to('content', '1'), to('/a', '1'));
    expect(both.images.map(({ name, place }) => [name, place])).toEqual([
      ['one', 'content'],
      ['one', '/a'],
    ]);
    await expect(planLed(to('content', '1'), to('entry', '1'))).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it('lists manifests, and configs and layers, each once, in the order of use', async () => {
    const [base, one, two] = [layerOf('base'), layerOf('one'), layerOf('two')];
    const first = await image('first', [base, one]);
    const second = await image('second', [base, two]);
    const planned = await planOf([
      request('first', first),
      request('second', second),
      request('twin', first),
    ]);
    expect(digests(planned.manifests)).toEqual(digests([first, second]));
    expect(planned.blobs.map(({ descriptor, image: user }) => [descriptor.digest, user])).toEqual([
      [configOf('first').descriptor.digest, 'first'],
      [base.descriptor.digest, 'first'],
      [one.descriptor.digest, 'first'],
      [configOf('second').descriptor.digest, 'second'],
      [two.descriptor.digest, 'second'],
    ]);
    expect(namesOf(planned.images)).toEqual(['first', 'second', 'twin']);
    const users = usersOf(planned);
    for (const [{ descriptor }, names] of [
      [base, ['first', 'second', 'twin']],
      [two, ['second']],
      [first, ['first', 'twin']],
      [configOf('second'), ['second']],
    ] as const) {
      expect(imagesUsing(planned, descriptor.digest)).toEqual(names);
      expect(namesOf(users.get(descriptor.digest)!)).toEqual(names);
    }
    expect(imagesUsing(planned, configOf('nobody').descriptor.digest)).toEqual([]);
    expect(users.size).toBe(7);
  });

  it('puts an index after its children for pushing, and before them in the list', async () => {
    const amd = await image('amd64', [layerOf('amd64')]);
    const arm = await image('arm64', [layerOf('arm64')]);
    const index = imageIndex(OCI_INDEX, [
      { manifest: amd, architecture: 'amd64' },
      { manifest: arm, architecture: 'arm64' },
    ]);
    await keep(store, index);
    const planned = await planOf([request('multi', index)]);
    expect(planned.images[0]!.manifests.map(({ digest }) => digest)).toEqual(
      digests([amd, arm, index]),
    );
    expect(digests(planned.manifests)).toEqual(digests([index, amd, arm]));
    expect(planned.images[0]!.blobs).toHaveLength(4);
  });

  it('walks an index that lists one image over and over, in indexes that do the same', async () => {
    let top = await image('bottom', [layerOf('x')]);
    for (let depth = 0; depth < 4; depth += 1) {
      const once = { manifest: top, architecture: `of ${depth}` };
      top = imageIndex(OCI_INDEX, Array<typeof once>(400).fill(once));
      await keep(store, top);
    }
    // 400 to the power of four ways lead to the image: nobody takes them all.
    const planned = await planOf([request('many', top)]);
    expect(planned.images[0]!.manifests).toHaveLength(5);
    expect(planned.manifests).toHaveLength(5);
  });

  it('puts the blobs that lead first: of each part the first, then the second', async () => {
    const [base, middle, top, other] = ['base', 'middle', 'top', 'other'].map(layerOf) as [
      Held,
      Held,
      Held,
      Held,
    ];
    const one = await image('one', [base, middle, top]);
    const two = await image('two', [base, other]);
    const planned = await planLed(
      { requests: [request('one', one)], leading: [configOf('one'), top, layerOf('not of it')] },
      { requests: [request('two', two)], leading: [configOf('two')] },
      { requests: [], leading: [] },
    );
    expect(digests(planned.blobs)).toEqual(
      digests([configOf('one'), configOf('two'), top, base, middle, other]),
    );
  });

  it('joins what several parts have under one name', async () => {
    const shared = await image('shared', []);
    const planned = await planOf(
      [request('shared', shared, { tags: ['a', 'b'] }), request('again', shared)],
      [],
      [request('shared', shared, { tags: ['b', 'c'] }), request('shared', shared)],
    );
    expect(planned.images).toMatchObject([
      { name: 'shared', parts: [0, 2], tags: ['a', 'b', 'c', 'shared'], order: 'first' },
      { name: 'again', parts: [0] },
    ]);
    expect(planned.blobs).toHaveLength(1);
  });

  it.each([
    ['first', 'last'],
    ['last', 'first'],
    ['last', 'last'],
  ] as const)('has an image last that is %s for one part and %s for another', async (...orders) => {
    const shared = await image('shared', []);
    const planned = await planOf(...orders.map((order) => [request('one', shared, { order })]));
    expect(planned.images).toMatchObject([{ order: 'last', parts: [0, 1] }]);
  });

  it('tells images of one name apart by their digests', async () => {
    const [one, two] = [await image('1', []), await image('2', [])];
    const planned = await planOf([request('cli', one)], [request('cli', two)]);
    const hex = ({ descriptor }: Held): string => descriptor.digest.slice(7, 19);
    expect(namesOf(planned.images)).toEqual([`cli@${hex(one)}`, `cli@${hex(two)}`]);
  });

  it.each([
    ['two places', { place: 'entry' }],
    ['two proofs', { proof: 'publisher' }],
  ] as const)('refuses one image with %s', async (_, other) => {
    const one = await image('one', []);
    await expect(planOf([request('one', one)], [request('one', one, other)])).rejects.toMatchObject(
      { code: 'UNSUPPORTED_CONTENT' },
    );
  });

  it('carries what is both a manifest and a blob with the manifests', async () => {
    const one = await image('one', []);
    const odd = await image('odd', [one]);
    const planned = await planOf([request('odd', odd), request('one', one)]);
    expect(digests(planned.blobs)).toEqual(digests([configOf('odd'), configOf('one')]));
    expect(digests(planned.manifests)).toEqual(digests([odd, one]));
    expect(namesOf(usersOf(planned).get(one.descriptor.digest)!)).toEqual(['odd', 'one']);
  });

  it('needs no config to be there, however large it is', async () => {
    const size = MAX_MANIFEST_BYTES + 1;
    const huge = { ...configOf('huge'), descriptor: { ...configOf('huge').descriptor, size } };
    const manifest = imageManifest(OCI_MANIFEST, huge, []);
    await keep(store, manifest);
    const planned = await planOf([request('huge', manifest)]);
    expect(planned.blobs.map(({ descriptor }) => descriptor)).toEqual([huge.descriptor]);
    expect(planned.manifests).toHaveLength(1);
  });

  it('refuses one digest with two sizes', async () => {
    const layer = layerOf('x');
    const descriptor = { ...layer.descriptor, mediaType: DOCKER_LAYER, size: 1 };
    const requests = [
      request('one', await image('one', [layer])),
      request('two', await image('two', [{ ...layer, descriptor }])),
    ];
    await expect(planOf(requests)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });

  it('refuses more bytes of manifests than a bundle may hold', async () => {
    const small = await image('small', []);
    const size = MAX_METADATA_BYTES;
    const trees = [0, 1].map((index) => ({
      request: request(String(index), small),
      tree: {
        descriptor: { ...small.descriptor, digest: digestOf(String(index)), size },
        bytes: small.bytes,
        manifest: { kind: 'index' as const, mediaType: OCI_INDEX, manifests: [] },
        children: [],
      },
    }));
    checkMetadataSize(size);
    expect(planContent([{ images: trees.slice(1), leading: [] }]).manifests).toHaveLength(1);
    expect(() => planContent([{ images: trees, leading: [] }])).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_CONTENT' }),
    );
  });

  it('holds every digest once and everything that is named, whatever images share', async () => {
    const layers = fc.array(fc.nat(6), { maxLength: 5 });
    const parts = fc.array(fc.array(layers, { maxLength: 4 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(parts, async (shapes) => {
        let count = 0;
        const requestOf = async (shape: readonly number[]): Promise<ImageRequest> => {
          count += 1;
          const its = shape.map((layer) => layerOf(String(layer)));
          return request(`image ${count}`, await image(String(count % 3), its));
        };
        const planned = await planOf(
          ...(await Promise.all(shapes.map((part) => Promise.all(part.map(requestOf))))),
        );
        const listed = digests([...planned.manifests, ...planned.blobs]);
        expect(new Set(listed).size).toBe(listed.length);
        const named = planned.images.flatMap(({ manifests, blobs }) => [...manifests, ...blobs]);
        expect(new Set(listed)).toEqual(new Set(named.map(({ digest }) => digest)));
        for (const { descriptor, bytes } of planned.manifests)
          expect(digestOf(bytes)).toBe(descriptor.digest);
        const users = usersOf(planned);
        for (const digest of users.keys())
          expect(namesOf(users.get(digest)!)).toEqual(imagesUsing(planned, digest));
      }),
      { numRuns: 50 },
    );
  });
});
