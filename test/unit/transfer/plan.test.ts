import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { MAX_INDEX_DEPTH, MAX_MANIFEST_BYTES } from '../../../src/core/limits.ts';
import {
  DOCKER_LAYER,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../../src/core/media-types.ts';
import {
  type ContentPlan,
  type ImageRequest,
  imagesUsing,
  ManifestWalker,
  planContent,
} from '../../../src/transfer/plan.ts';
import { MemoryStore } from '../../../src/stores/memory.ts';
import { fill } from '../../contract/store.ts';
import { type Held, held, imageIndex, imageManifest } from '../../contract/content.ts';

const options = { concurrency: 3 };
const layerOf = (text: string): Held => held(OCI_LAYER_GZIP, `layer ${text}`);
const configOf = (text: string): Held => held(OCI_CONFIG, JSON.stringify({ of: text }));
const digests = (list: readonly Descriptor[]): string[] => list.map(({ digest }) => digest);

let store: MemoryStore;
beforeEach(() => {
  store = new MemoryStore();
});

async function keep(...contents: readonly Held[]): Promise<void> {
  await fill(store, { blobs: contents, manifests: [], tags: {} });
}

/** An image in the store: its manifest. Layers are not there: planning must not need them. */
async function image(name: string, layers: readonly Held[]): Promise<Held> {
  const manifest = imageManifest(OCI_MANIFEST, configOf(name), layers);
  await keep(configOf(name), manifest);
  return manifest;
}

function request(name: string, { descriptor }: Held): ImageRequest {
  return {
    name,
    role: 'component',
    descriptor,
    source: `example.com/a@${descriptor.digest}`,
    tags: [name],
    store,
  };
}

async function plan(
  requests: readonly ImageRequest[],
  leading: readonly Descriptor[] = [],
): Promise<ContentPlan> {
  return planContent(await new ManifestWalker(options).walk(requests), leading, options);
}

describe('planContent', () => {
  it('lists metadata, then layers, each once, in the order of use', async () => {
    const [base, one, two] = [layerOf('base'), layerOf('one'), layerOf('two')];
    const first = await image('first', [base, one]);
    const second = await image('second', [base, two]);
    const planned = await plan([
      request('first', first),
      request('second', second),
      request('twin', first),
    ]);
    expect(digests(planned.metadata.map(({ descriptor }) => descriptor))).toEqual(
      digests(
        [first, configOf('first'), second, configOf('second')].map(({ descriptor }) => descriptor),
      ),
    );
    expect(planned.layers.map(({ descriptor, image: user }) => [descriptor.digest, user])).toEqual([
      [base.descriptor.digest, 'first'],
      [one.descriptor.digest, 'first'],
      [two.descriptor.digest, 'second'],
    ]);
    expect(planned.images.map(({ name }) => name)).toEqual(['first', 'second', 'twin']);
    expect(imagesUsing(planned, base.descriptor.digest)).toEqual(['first', 'second', 'twin']);
    expect(imagesUsing(planned, two.descriptor.digest)).toEqual(['second']);
    expect(imagesUsing(planned, first.descriptor.digest)).toEqual(['first', 'twin']);
  });

  it('puts an index after its children in the order of pushing, and before them in the list', async () => {
    const [amd, arm] = [
      await image('amd64', [layerOf('amd64')]),
      await image('arm64', [layerOf('arm64')]),
    ];
    const index = imageIndex(OCI_INDEX, [
      { manifest: amd, architecture: 'amd64' },
      { manifest: arm, architecture: 'arm64' },
    ]);
    await keep(index);
    const planned = await plan([request('multi', index)]);
    expect(digests(planned.images[0]!.manifests)).toEqual(
      digests([amd, arm, index].map(({ descriptor }) => descriptor)),
    );
    expect(planned.metadata[0]!.descriptor).toEqual(index.descriptor);
    expect(planned.images[0]!.blobs).toHaveLength(4);
  });

  it('puts the leading layers first', async () => {
    const layers = [layerOf('base'), layerOf('middle'), layerOf('top')];
    const release = await image('release', layers);
    const planned = await plan([request('release', release)], [layers[2]!.descriptor]);
    expect(planned.layers.map(({ descriptor }) => descriptor.digest)).toEqual(
      digests([layers[2]!, layers[0]!, layers[1]!].map(({ descriptor }) => descriptor)),
    );
  });

  it('keeps what is both config and layer with the metadata, whichever image comes first', async () => {
    const both = held(OCI_CONFIG, '{}');
    await keep(both);
    const asLayer = await image('as layer', [both, layerOf('x')]);
    const asConfig = imageManifest(OCI_MANIFEST, both, [layerOf('y')]);
    await keep(asConfig);
    for (const order of [
      [request('one', asLayer), request('two', asConfig)],
      [request('two', asConfig), request('one', asLayer)],
    ]) {
      const planned = await plan(order, [both.descriptor]);
      expect(
        planned.metadata.filter(({ descriptor }) => descriptor.digest === both.descriptor.digest),
      ).toHaveLength(1);
      expect(planned.layers.map(({ descriptor }) => descriptor.digest)).not.toContain(
        both.descriptor.digest,
      );
      expect(planned.layers).toHaveLength(2);
    }
  });

  it('carries a config over the ceiling as a layer, unread', async () => {
    const huge = {
      descriptor: { ...configOf('huge').descriptor, size: MAX_MANIFEST_BYTES + 1 },
      bytes: Buffer.alloc(0),
    };
    const manifest = imageManifest(OCI_MANIFEST, huge, []);
    await keep(manifest);
    const planned = await plan([request('huge', manifest)]);
    expect(planned.layers.map(({ descriptor }) => descriptor)).toEqual([huge.descriptor]);
    expect(planned.metadata).toHaveLength(1);
  });

  it('refuses one digest with two sizes', async () => {
    const layer = layerOf('x');
    const liar: Held = {
      ...layer,
      descriptor: { ...layer.descriptor, mediaType: DOCKER_LAYER, size: layer.descriptor.size + 1 },
    };
    const requests = [
      request('one', await image('one', [layer])),
      request('two', await image('two', [liar])),
    ];
    await expect(plan(requests)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });

  it('names the image whose config is gone', async () => {
    const manifest = imageManifest(OCI_MANIFEST, configOf('gone'), []);
    await keep(manifest);
    await expect(plan([request('etcd', manifest)])).rejects.toMatchObject({
      code: 'NOT_FOUND',
      subject: 'image etcd',
    });
  });

  it('holds every digest once and everything that is named, for any images that share what they like', async () => {
    const images = fc.array(fc.array(fc.nat(6), { maxLength: 5 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(images, async (shapes) => {
        const manifests = await Promise.all(
          shapes.map(async (layers, at) =>
            image(
              String(at % 3),
              layers.map((layer) => layerOf(String(layer))),
            ),
          ),
        );
        const planned = await plan(
          manifests.map((manifest, at) => request(`image ${at}`, manifest)),
        );
        const listed = [...planned.metadata, ...planned.layers].map(
          ({ descriptor }) => descriptor.digest as string,
        );
        expect(new Set(listed).size).toBe(listed.length);
        const named = planned.images.flatMap((one) => [
          ...digests(one.manifests),
          ...digests(one.blobs),
        ]);
        expect(new Set(listed)).toEqual(new Set(named));
        for (const { descriptor, bytes } of planned.metadata)
          expect(digestOf(bytes)).toBe(descriptor.digest);
      }),
      { numRuns: 50 },
    );
  });
});

describe('ManifestWalker', () => {
  it('refuses a manifest whose bytes are not those of its digest, naming the image', async () => {
    const manifest = await image('one', []);
    const wrong = {
      ...manifest,
      descriptor: { ...manifest.descriptor, size: manifest.descriptor.size - 1 },
    };
    await expect(plan([request('etcd', wrong)])).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
      subject: 'image etcd',
    });
  });

  it('does not begin to read a manifest over the ceiling', async () => {
    const manifest = await image('one', []);
    const huge = {
      ...manifest,
      descriptor: { ...manifest.descriptor, size: MAX_MANIFEST_BYTES + 1 },
    };
    await expect(plan([request('etcd', huge)])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it('refuses an index that lists what is no manifest', async () => {
    const index = imageIndex(OCI_INDEX, [{ manifest: layerOf('x'), architecture: 'amd64' }]);
    await keep(index);
    await expect(plan([request('odd', index)])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it('refuses an index that calls a manifest by another type', async () => {
    const manifest = await image('one', []);
    const index = imageIndex(OCI_INDEX, [
      {
        manifest: { ...manifest, descriptor: { ...manifest.descriptor, mediaType: OCI_INDEX } },
        architecture: 'amd64',
      },
    ]);
    await keep(index);
    await expect(plan([request('odd', index)])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it('follows indexes in indexes, but not for ever', async () => {
    let top = await image('bottom', [layerOf('x')]);
    for (let depth = 1; depth <= MAX_INDEX_DEPTH; depth += 1) {
      top = imageIndex(OCI_INDEX, [{ manifest: top, architecture: 'amd64' }]);
      await keep(top);
    }
    expect((await plan([request('deep', top)])).metadata).toHaveLength(MAX_INDEX_DEPTH + 2);
    const deeper = imageIndex(OCI_INDEX, [{ manifest: top, architecture: 'amd64' }]);
    await keep(deeper);
    await expect(plan([request('deeper', deeper)])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it('fetches each manifest once', async () => {
    const fetched: string[] = [];
    const counting = new (class extends MemoryStore {
      override fetch(
        ...[descriptor, fetchOptions]: Parameters<MemoryStore['fetch']>
      ): AsyncGenerator<Uint8Array> {
        fetched.push(descriptor.digest);
        return super.fetch(descriptor, fetchOptions);
      }
    })();
    store = counting;
    const shared = await image('shared', [layerOf('x')]);
    const index = imageIndex(OCI_INDEX, [{ manifest: shared, architecture: 'amd64' }]);
    await keep(index);
    await plan([
      request('one', shared),
      request('two', index),
      request('three', index),
      request('four', shared),
    ]);
    expect(new Set(fetched).size).toBe(fetched.length);
    expect(fetched).toHaveLength(3);
  });
});
