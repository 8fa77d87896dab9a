import { beforeEach, describe, expect, it } from 'vitest';
import type { TransferEvent } from '../../../src/core/events.ts';
import {
  MAX_INDEX_DEPTH,
  MAX_MANIFEST_BYTES,
  MAX_METADATA_BYTES,
} from '../../../src/core/limits.ts';
import { OCI_INDEX } from '../../../src/core/media-types.ts';
import { type ImageRequest, manifestsOf, type WalkedImage } from '../../../src/transfer/image.ts';
import { ManifestWalker } from '../../../src/transfer/walk.ts';
import { type Held, imageIndex } from '../../contract/content.ts';
import { keep, layerOf, manifestOf, requestFor, WatchedStore } from './images.ts';

let store: WatchedStore;
beforeEach(() => {
  store = new WatchedStore();
});

async function image(name: string, layers: readonly Held[]): Promise<Held> {
  const manifest = manifestOf(name, layers);
  await keep(store.inner, manifest);
  return manifest;
}

const request = (name: string, manifest: Held): ImageRequest => requestFor(name, manifest, store);
const walk = (requests: readonly ImageRequest[]): Promise<WalkedImage[]> =>
  new ManifestWalker({ concurrency: 3 }).walk(requests);

describe('ManifestWalker', () => {
  it('refuses a manifest whose bytes are not those of its digest, naming the image', async () => {
    const manifest = await image('one', []);
    const wrong = {
      ...manifest,
      descriptor: { ...manifest.descriptor, size: manifest.descriptor.size - 1 },
    };
    await expect(walk([request('oauth-proxy', wrong)])).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
      subject: 'image oauth-proxy',
    });
  });

  it('does not begin to read a manifest over the ceiling', async () => {
    const manifest = await image('one', []);
    const huge = {
      ...manifest,
      descriptor: { ...manifest.descriptor, size: MAX_MANIFEST_BYTES + 1 },
    };
    await expect(walk([request('oauth-proxy', huge)])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it('refuses an index that lists what is no manifest', async () => {
    const index = imageIndex(OCI_INDEX, [{ manifest: layerOf('x'), architecture: 'amd64' }]);
    await keep(store.inner, index);
    await expect(walk([request('odd', index)])).rejects.toMatchObject({
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
    await keep(store.inner, index);
    await expect(walk([request('odd', index)])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it.each([
    ['another size', 'CONTENT_MISMATCH', { size: 3 }],
    ['another type', 'UNSUPPORTED_CONTENT', { mediaType: OCI_INDEX }],
  ])('refuses an index that lists with %s what is known already', async (_, code, wrong) => {
    const manifest = await image('one', []);
    const index = imageIndex(OCI_INDEX, [
      {
        manifest: { ...manifest, descriptor: { ...manifest.descriptor, ...wrong } },
        architecture: 'amd64',
      },
    ]);
    await keep(store.inner, index);
    const walker = new ManifestWalker({ concurrency: 1 });
    await walker.walkOne(request('right', manifest));
    await expect(walker.walkOne(request('odd', index))).rejects.toMatchObject({
      code,
      message: expect.stringContaining('image odd') as string,
    });
  });

  it('follows indexes in indexes, but not for ever', async () => {
    let top = await image('bottom', [layerOf('x')]);
    for (let depth = 1; depth <= MAX_INDEX_DEPTH; depth += 1) {
      top = imageIndex(OCI_INDEX, [{ manifest: top, architecture: 'amd64' }]);
      await keep(store.inner, top);
    }
    const [deep] = await walk([request('deep', top)]);
    expect([...manifestsOf(deep!.tree)]).toHaveLength(MAX_INDEX_DEPTH + 1);
    const deeper = imageIndex(OCI_INDEX, [{ manifest: top, architecture: 'amd64' }]);
    await keep(store.inner, deeper);
    await expect(walk([request('deeper', deeper)])).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
    });
  });

  it('fetches each manifest once', async () => {
    const shared = await image('shared', [layerOf('x')]);
    const index = imageIndex(OCI_INDEX, [{ manifest: shared, architecture: 'amd64' }]);
    await keep(store.inner, index);
    const walker = new ManifestWalker({ concurrency: 3 });
    await walker.walk([request('one', shared), request('two', index), request('three', index)]);
    const { tree } = await walker.walkOne(request('four', shared));
    expect(tree.descriptor).toEqual(shared.descriptor);
    expect([...store.digestsOf('fetch')].sort()).toEqual(
      [shared, index].map(({ descriptor }) => descriptor.digest).sort(),
    );
  });

  it('asks once more for a manifest that came wrong, and tells of it', async () => {
    const manifest = await image('one', []);
    let times = 0;
    store.alter = (bytes) => (times++ === 0 ? bytes.map((byte) => byte ^ 1) : bytes);
    const events: TransferEvent[] = [];
    const walker = new ManifestWalker({
      concurrency: 1,
      observe: (event) => events.push(event),
      signal: new AbortController().signal,
    });
    const { tree } = await walker.walkOne(request('one', manifest));
    expect(Buffer.from(tree.bytes)).toEqual(manifest.bytes);
    expect(events).toMatchObject([
      { type: 'retried', what: manifest.descriptor.digest },
      { type: 'counted', what: 'manifests', done: 1, total: 1 },
    ]);
  });

  it('refuses more bytes of manifests than a bundle may hold, before it reads them', async () => {
    const manifest = await image('one', []);
    const descriptor = { ...manifest.descriptor, size: MAX_METADATA_BYTES + 1 };
    await expect(walk([request('oauth-proxy', { ...manifest, descriptor })])).rejects.toMatchObject(
      {
        code: 'UNSUPPORTED_CONTENT',
        subject: 'image oauth-proxy',
      },
    );
    expect(store.calls).toEqual([]);
  });

  it('passes on what is no failure of the content', async () => {
    const stop = new AbortController();
    const walker = new ManifestWalker({ concurrency: 1, signal: stop.signal });
    store.fault = () => {
      stop.abort(new Error('the user'));
    };
    const walking = walker.walk([request('one', await image('one', []))]);
    await expect(walking).rejects.toThrow('the user');
  });
});
