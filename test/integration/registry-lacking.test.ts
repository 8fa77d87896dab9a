import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { streamOf } from '../../src/core/bytes.ts';
import { anonymous } from '../../src/core/credentials.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import type { TransferEvent } from '../../src/core/events.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../src/core/media-types.ts';
import { MemoryStore } from '../../src/stores/memory.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import type { RegistryRepository } from '../../src/stores/registry/repository.ts';
import { copyImages } from '../../src/transfer/copy.ts';
import type { CopyReport } from '../../src/transfer/copy-options.ts';
import { readVerified } from '../../src/transfer/verified.ts';
import { type Held, held, imageIndex } from '../contract/content.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import {
  configOf,
  keep,
  layerOf,
  manifestOf,
  planOf,
  requestFor,
} from '../unit/transfer/images.ts';

const REPOSITORY = 'some/images';

describeWith(['docker-registry'], 'a registry that loses what has been pushed', () => {
  let registry: TestRegistry;
  let proxy: FaultProxy;
  let client: RegistryClient;
  let target: RegistryRepository;
  let source: MemoryStore;
  let events: TransferEvent[];
  /** Is called before each PUT of a manifest, counted from 1, and may answer it. */
  let beforePut: (nth: number) => { status: number; body: string } | undefined;
  /** Whether it gives what it has by its digest. */
  let givesManifests: boolean;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  beforeEach(async () => {
    let puts = 0;
    events = [];
    source = new MemoryStore('source');
    givesManifests = true;
    proxy = await startFaultProxy(registry.url, ({ method, url }) => {
      if (!givesManifests && method === 'GET' && url.includes('/manifests/sha256:'))
        return { kind: 'answer', status: 404, body: '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}' };
      if (method !== 'PUT' || !url.includes('/manifests/')) return undefined;
      const answer = beforePut((puts += 1));
      return answer && { kind: 'answer', ...answer };
    });
    client = new RegistryClient({
      credentials: anonymous,
      ca: [],
      backoffMs: 1,
      observe: (event) => void events.push(event),
    });
    target = client.repository({ registry: proxy.host, repository: REPOSITORY });
  });
  afterEach(async () => {
    await client.close();
    await proxy.stop();
  });
  afterAll(async () => registry.stop());

  async function imageOf(name: string): Promise<Held> {
    const manifest = manifestOf(name, [layerOf(name)]);
    await keep(source, configOf(name), layerOf(name), manifest);
    return manifest;
  }

  async function copy(name: string, image: Held): Promise<CopyReport> {
    const plan = await planOf([requestFor(name, image, source)]);
    const { signal } = new AbortController();
    return copyImages(plan, [], () => target, { concurrency: 1, signal, observe: () => undefined });
  }

  /** As when a garbage collection takes away what no manifest names yet. */
  function lose(folder: '_layers' | '_manifests/revisions', { digest }: Descriptor): void {
    const repository = join(registry.root, 'storage/docker/registry/v2/repositories', REPOSITORY);
    rmSync(join(repository, folder, digest.replace(':', '/')), { recursive: true });
  }

  const uploads = (): readonly string[] => proxy.seen(/^POST .*\/blobs\/uploads/);
  const manifests = (): readonly string[] => proxy.seen(/^PUT .*\/manifests\//);

  it('gets a blob again, and then the manifest', async () => {
    const image = await imageOf('blob lost');
    const layer = layerOf('blob lost');
    beforePut = (nth) => {
      if (nth === 1) lose('_layers', layer.descriptor);
      return undefined;
    };
    const report = await copy('blob-lost', image);
    expect(report.blobs).toMatchObject({ pushed: 2, skipped: 0 });
    expect(uploads()).toHaveLength(3);
    expect(manifests()).toHaveLength(2);
    expect(await readVerified(target.fetch(layer.descriptor), layer.descriptor)).toEqual(
      layer.bytes,
    );
    expect((await target.resolve('blob-lost')).digest).toBe(image.descriptor.digest);
    expect(events).toMatchObject([{ type: 'retried', cause: 'status 400, MANIFEST_BLOB_UNKNOWN' }]);
  });

  it('is not believed where it takes manifests, names them, and does not give them', async () => {
    beforePut = () => undefined;
    const image = await imageOf('taken');
    givesManifests = false;
    const refusal = {
      code: 'REGISTRY',
      message: expect.stringContaining('does not have') as string,
    };
    await expect(copy('taken', image)).rejects.toMatchObject(refusal);
    // Its tag says that it is there.
    expect((await target.resolve('taken')).digest).toBe(image.descriptor.digest);
    await expect(copy('taken', image)).rejects.toMatchObject(refusal);
    givesManifests = true;
    await copy('taken', image);
    const asked = proxy.seen(/^GET .*\/manifests\/sha256:/).length;
    await copy('taken', image);
    // One look at what is there, and one at what stands for the whole target.
    expect(proxy.seen(/^GET .*\/manifests\/sha256:/).length - asked).toBeLessThanOrEqual(3);
  });

  it('gets a manifest of an index again, and then the index', async () => {
    const child = await imageOf('child lost');
    const index = imageIndex(OCI_INDEX, [{ manifest: child, architecture: 'amd64' }]);
    await keep(source, index);
    beforePut = (nth) => {
      if (nth === 2) lose('_manifests/revisions', child.descriptor);
      return undefined;
    };
    await copy('child-lost', index);
    expect(uploads()).toHaveLength(2);
    expect(manifests()).toHaveLength(4);
    expect((await target.resolve('child-lost')).digest).toBe(index.descriptor.digest);
    expect(await target.exists(child.descriptor)).toBe(true);
  });

  it('is given nothing again that was hidden for a moment', async () => {
    // In each of the words that registries have for it.
    const codes = ['DIGEST_INVALID', 'MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN'];
    beforePut = (nth) => {
      const code = codes[nth - 1];
      if (code === undefined) return undefined;
      return { status: 400, body: JSON.stringify({ errors: [{ code }] }) };
    };
    const image = await imageOf('hidden');
    await copy('hidden', image);
    expect(uploads()).toHaveLength(2);
    expect(manifests()).toHaveLength(5);
    expect((await target.resolve('hidden')).digest).toBe(image.descriptor.digest);
  });

  it('is left after five attempts, with a word on what may take things away', async () => {
    const image = await imageOf('gone for good');
    const { descriptor } = layerOf('gone for good');
    beforePut = () => {
      lose('_layers', descriptor);
      return undefined;
    };
    await expect(copy('gone', image)).rejects.toMatchObject({
      code: 'REGISTRY',
      side: 'target',
      hint: expect.stringContaining('collects garbage') as string,
    });
    expect(manifests()).toHaveLength(5);
  });

  it('is not asked twice where it wants no layers that are elsewhere, and the error says what takes them', async () => {
    const layer = { ...layerOf('elsewhere').descriptor, urls: ['https://cdn.example.com/layer'] };
    const config = { ...layerOf('its config').descriptor, mediaType: OCI_CONFIG };
    const body = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] };
    const manifest = held(OCI_MANIFEST, JSON.stringify(body));
    beforePut = () => ({ status: 500, body: '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}' });
    const pushing = target.push(manifest.descriptor, streamOf(manifest.bytes), { tag: 'foreign' });
    await expect(pushing).rejects.toMatchObject({
      code: 'REGISTRY',
      hint: expect.stringContaining('validation.manifests.urls.allow') as string,
    });
    expect(manifests()).toHaveLength(1);
  });

  it('is not asked twice where it refuses a manifest for another reason', async () => {
    const image = await imageOf('refused');
    const body = '{"errors":[{"code":"MANIFEST_INVALID"}]}';
    beforePut = () => ({ status: 400, body });
    await expect(copy('refused', image)).rejects.toMatchObject({ code: 'REGISTRY' });
    expect(manifests()).toHaveLength(1);
  });

  it('takes the same images of two runs at once', async () => {
    beforePut = () => undefined;
    const images = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => ({
        name: `shared-${index}`,
        image: await imageOf(`shared ${index % 3}`),
      })),
    );
    const other = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1 });
    const run = async (to: RegistryRepository): Promise<void> => {
      const plan = await planOf(images.map(({ name, image }) => requestFor(name, image, source)));
      const { signal } = new AbortController();
      const options = { concurrency: 8, signal, observe: () => undefined };
      await copyImages(plan, [], () => to, options);
    };
    try {
      await Promise.all([
        run(target),
        run(other.repository({ registry: proxy.host, repository: REPOSITORY })),
      ]);
    } finally {
      await other.close();
    }
    for (const { name, image } of images)
      expect((await target.resolve(name)).digest).toBe(image.descriptor.digest);
  });
});
