import { afterEach, describe, expect, it } from 'vitest';

import { seededBytes } from '../../scripts/lib/seeded-bytes.ts';
import { streamOf } from '../../src/core/bytes.ts';
import { anonymous } from '../../src/core/credentials.ts';
import { OCI_LAYER_GZIP, OCI_MANIFEST } from '../../src/core/media-types.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import type { RegistryRepository } from '../../src/stores/registry/repository.ts';
import { held } from '../contract/content.ts';
import { type Odd, type OddRegistry, startOddRegistry } from '../support/odd-registry.ts';

const REPOSITORY = 'some/images';
const blob = held(OCI_LAYER_GZIP, seededBytes('a blob', 70_000));
const manifest = held(
  OCI_MANIFEST,
  Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType: OCI_MANIFEST },
      config: blob.descriptor,
      layers: [blob.descriptor],
    }),
  ),
);
const PAGE = { 'content-type': 'text/html' };

describe('what a registry says that it has stored', () => {
  const cleanUp: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const task of cleanUp.splice(0).reverse()) await task();
  });

  const open = async (odd: Odd): Promise<{ registry: OddRegistry; store: RegistryRepository }> => {
    const registry = await startOddRegistry(odd);
    cleanUp.push(registry.stop);
    const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1 });
    cleanUp.push(async () => client.close());
    const store = client.repository({ registry: registry.host, repository: REPOSITORY });
    return { registry, store };
  };
  const pushBlob = async (store: RegistryRepository): Promise<void> =>
    store.push(blob.descriptor, streamOf(blob.bytes), { again: () => streamOf(blob.bytes) });
  const pushManifest = async (store: RegistryRepository, tag?: string): Promise<void> =>
    store.push(manifest.descriptor, streamOf(manifest.bytes), tag === undefined ? {} : { tag });

  it.each([200, 202, 204])(
    'is not believed of a blob where a page answers %d in its place',
    async (status) => {
      const { store } = await open(({ method }) =>
        method === 'PUT'
          ? { status, headers: PAGE, body: status === 204 ? '' : '<html>' }
          : undefined,
      );
      await expect(pushBlob(store)).rejects.toMatchObject({
        ...{ code: 'REGISTRY', exitStatus: 25 },
        message: expect.stringContaining('does not have it') as string,
      });
    },
  );

  it.each([
    ['a page answers 200', { status: 200, headers: PAGE, body: '<html>' }],
    ['an empty 202 comes', { status: 202 }],
    ['201 comes without a digest', { status: 201 }],
  ])('is not believed of a manifest where %s in its place', async (_, answer) => {
    const { store } = await open(({ method, url }) =>
      method === 'PUT' && url.includes('/manifests/') ? answer : undefined,
    );
    await pushBlob(store);
    for (const tag of [undefined, '4.17.3']) {
      await expect(pushManifest(store, tag)).rejects.toMatchObject({
        ...{ code: 'REGISTRY', exitStatus: 25, got: 'nothing' },
        message: expect.stringContaining('does not have what was pushed as') as string,
      });
    }
  });

  it('is not believed of a tag, whatever the answer says', async () => {
    const { store } = await open(({ method, url }) =>
      method === 'PUT' && url.endsWith('/4.17.3')
        ? { status: 201, headers: { 'docker-content-digest': manifest.descriptor.digest } }
        : undefined,
    );
    await pushBlob(store);
    await pushManifest(store);
    await expect(store.tag(manifest.descriptor, '4.17.3')).rejects.toMatchObject({
      ...{ code: 'REGISTRY', exitStatus: 25, got: 'nothing' },
    });
    await store.tag(manifest.descriptor, '4.17.4');
  });

  it('is not believed by check-registry', async () => {
    const registry = await startOddRegistry(({ method }) =>
      method === 'PUT' ? { status: 200, headers: PAGE, body: '<html>' } : undefined,
    );
    cleanUp.push(registry.stop);
    const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1 });
    cleanUp.push(async () => client.close());
    const probe = client.probe({ registry: registry.host, repository: REPOSITORY });
    const { taken, refused } = await probe.manifestTypes(new AbortController().signal);
    expect(taken).toEqual([]);
    expect(refused.map(({ error }) => error.code)).toEqual(Array(4).fill('REGISTRY'));
  });

  it('is waited for where a replica has it a moment later', async () => {
    let asked = 0;
    const { store } = await open(({ method, url }) =>
      method === 'GET' && url.endsWith('/4.17.3') && (asked += 1) < 3 ? { status: 404 } : undefined,
    );
    await pushBlob(store);
    await pushManifest(store);
    await store.tag(manifest.descriptor, '4.17.3');
    expect(asked).toBe(3);
  });

  it('is believed of other answers of 2xx where the content is there', async () => {
    const { store, registry } = await open(({ method, url }, state) => {
      if (method !== 'PUT') return undefined;
      if (url.includes('/manifests/')) {
        const { digest } = manifest.descriptor;
        const stored = { type: OCI_MANIFEST, bytes: Buffer.from(manifest.bytes) };
        state.manifests.set(`${REPOSITORY}@${digest}`, stored);
      } else state.blobs.set(`${REPOSITORY}@${blob.descriptor.digest}`, Buffer.from(blob.bytes));
      return { status: 204 };
    });
    await pushBlob(store);
    await pushManifest(store);
    expect(registry.state.blobs.size).toBe(1);
  });

  it('is looked at again where it had a damaged copy, which some registries keep', async () => {
    let keeps = true;
    const { store, registry } = await open(({ method, url }) => {
      if (method !== 'PUT' || !url.includes('/blobs/uploads') || !keeps) return undefined;
      return { status: 201, headers: { 'docker-content-digest': blob.descriptor.digest } };
    });
    const key = `${REPOSITORY}@${blob.descriptor.digest}`;
    registry.state.blobs.set(key, Buffer.from(blob.bytes.subarray(0, -1)));
    await expect(pushBlob(store)).rejects.toMatchObject({
      ...{ code: 'REGISTRY', exitStatus: 25 },
      message: expect.stringContaining('keeps a damaged copy') as string,
      hint: expect.stringContaining('docker/registry/v2/blobs') as string,
    });
    keeps = false;
    await pushBlob(store);
    expect(registry.state.blobs.get(key)!.equals(blob.bytes)).toBe(true);
  });
});
