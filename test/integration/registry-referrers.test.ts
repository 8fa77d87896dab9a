import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { streamOf } from '../../src/core/bytes.ts';
import { anonymous } from '../../src/core/credentials.ts';
import { digestOf } from '../../src/core/digest.ts';
import { referrersTagOf } from '../../src/core/manifest.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/core/media-types.ts';
import { MAX_MANIFEST_BYTES } from '../../src/core/limits.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import type { RegistryRepository } from '../../src/stores/registry/repository.ts';
import { EMPTY, type Held, referrerManifest, sample } from '../contract/content.ts';
import { fill, storeContract } from '../contract/store.ts';
import { type Decide, type Fault, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { startReferrersApi } from '../support/referrers-api.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

const { oci, sbom, signature } = sample;
const bare = {
  ...sample,
  manifests: [sample.oci, sample.docker, sample.ociIndex, sample.dockerList],
};
const subject = oci.descriptor.digest;
const tag = referrersTagOf(subject);

describeWith(['docker-registry'], 'a registry with the referrers API', () => {
  storeContract('such a registry', async () => {
    const registry = await startRegistry();
    const api = await startReferrersApi(registry.url);
    const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1 });
    return {
      store: client.repository({ registry: api.host, repository: 'release/images' }),
      close: async () => {
        await client.close();
        await api.stop();
        await registry.stop();
      },
    };
  });

  it('is not given lists of our own, and gives all pages of its', async () => {
    const registry = await startRegistry();
    const api = await startReferrersApi(registry.url);
    const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1 });
    const store = client.repository({ registry: api.host, repository: 'release/images' });
    await fill(store, sample);
    const more = [1, 2, 3].map((nth) => referrerManifest(oci, `application/x-${nth}`, []));
    for (const { descriptor, bytes } of more) await store.push(descriptor, streamOf(bytes));
    expect(await store.referrers(subject)).toHaveLength(5);
    expect((await store.tags()).filter((name) => name.startsWith('sha256-'))).toEqual([]);
    expect(api.requests.filter((line) => line.includes('/referrers/')).length).toBe(3);
    await client.close();
    await api.stop();
    await registry.stop();
  });
});

describeWith(['docker-registry'], 'a registry without the referrers API', () => {
  let registry: TestRegistry;
  const clients: RegistryClient[] = [];
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(async () => {
    for (const client of clients) await client.close();
    await registry.stop();
  });

  let repositories = 0;
  /** A repository of its own that holds the sample without referrers. */
  const open = async (
    host = registry.host,
  ): Promise<{ store: RegistryRepository; path: string }> => {
    const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1 });
    clients.push(client);
    const path = `case-${(repositories += 1)}`;
    const store = client.repository({ registry: host, repository: path });
    await fill(store, bare);
    return { store, path };
  };
  const put = async (
    path: string,
    reference: string,
    { descriptor, bytes }: Held,
  ): Promise<void> => {
    const { mediaType } = descriptor;
    const answer = await fetch(`${registry.url}/v2/${path}/manifests/${reference}`, {
      method: 'PUT',
      headers: { 'content-type': mediaType },
      body: Buffer.from(bytes),
    });
    expect(answer.status).toBe(201);
  };
  const listUnder = async (path: string): Promise<unknown> => {
    const answer = await fetch(`${registry.url}/v2/${path}/manifests/${tag}`, {
      headers: { accept: OCI_INDEX },
    });
    expect(answer.headers.get('content-type')).toBe(OCI_INDEX);
    return answer.json();
  };

  it('is asked for it once', async () => {
    const proxy = await startFaultProxy(registry.url);
    const { store } = await open(proxy.host);
    for (const { descriptor } of bare.manifests)
      expect(await store.referrers(descriptor.digest)).toEqual([]);
    expect(proxy.seen(/\/referrers\//)).toHaveLength(1);
    expect(proxy.seen(/\/manifests\/sha256-/)).toHaveLength(bare.manifests.length);
    await proxy.stop();
  });

  it('gives what others have listed under the tag, and takes more behind it, in the form of the specification', async () => {
    const { store, path } = await open();
    await put(path, sbom.descriptor.digest, sbom);
    const foreign = {
      ...sbom.descriptor,
      artifactType: 'application/spdx+json',
      annotations: { by: 'others' },
      platform: { os: 'linux' },
    };
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [foreign],
        annotations: { kept: 'yes' },
      }),
    );
    await put(path, tag, {
      descriptor: { mediaType: OCI_INDEX, digest: digestOf(index), size: index.length },
      bytes: index,
    });
    expect(await store.referrers(subject)).toEqual([sbom.descriptor]);
    const noType = referrerManifest(oci, '', []);
    for (const { descriptor, bytes } of [sbom, signature, noType])
      await store.push(descriptor, streamOf(bytes));
    expect(await listUnder(path)).toEqual({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [
        foreign,
        { ...signature.descriptor, artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json' },
        { ...noType.descriptor, artifactType: EMPTY.descriptor.mediaType },
      ],
      annotations: { kept: 'yes' },
    });
  });

  it('has its annotations and its kind in the list', async () => {
    const { store, path } = await open();
    await store.push(sbom.descriptor, streamOf(sbom.bytes));
    expect(await listUnder(path)).toMatchObject({
      manifests: [
        {
          artifactType: 'application/spdx+json',
          annotations: { 'org.opencontainers.image.created': '2024-10-09T00:00:00Z' },
        },
      ],
    });
  });

  it.each([
    ['the image itself', oci],
    ['another image', sample.docker],
    ['a Docker list', sample.dockerList],
  ])('lists nothing where the tag names %s, and is not made to', async (_, named) => {
    const { store, path } = await open();
    await put(path, tag, named);
    expect(await store.referrers(subject)).toEqual([]);
    await expect(store.push(sbom.descriptor, streamOf(sbom.bytes))).rejects.toMatchObject({
      code: 'TAG_CONFLICT',
      exitStatus: 27,
    });
    expect((await store.resolve(tag)).digest).toBe(named.descriptor.digest);
  });

  it('lists nothing where the tag names the index itself that is asked about', async () => {
    const { store, path } = await open();
    const index = sample.ociIndex;
    await put(path, referrersTagOf(index.descriptor.digest), index);
    expect(await store.referrers(index.descriptor.digest)).toEqual([]);
  });
});

describeWith(['docker-registry'], 'a hostile list of referrers', () => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.stop());

  const listing = (
    entries: readonly object[],
    headers: Readonly<Record<string, string>> = {},
  ): Fault => ({
    kind: 'answer',
    status: 200,
    headers: { 'content-type': OCI_INDEX, ...headers },
    body: JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries }),
  });
  const entries = (from: number, count: number): object[] =>
    Array.from({ length: count }, (_, index) => ({
      mediaType: OCI_MANIFEST,
      digest: digestOf(`entry ${from + index}`),
      size: 7,
    }));
  const asked = async (
    decide: Decide,
  ): Promise<{ outcome: Promise<unknown>; requests: () => number; close: () => Promise<void> }> => {
    const proxy = await startFaultProxy(registry.url, (request) =>
      request.url.includes('/referrers/') ? decide(request) : undefined,
    );
    const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1 });
    const outcome = client.repository({ registry: proxy.host, repository: 'a' }).referrers(subject);
    const close = async (): Promise<void> => {
      await client.close();
      await proxy.stop();
    };
    return { outcome, requests: () => proxy.seen(/\/referrers\//).length, close };
  };

  const answer = (body: string): Fault => ({
    kind: 'answer',
    status: 200,
    headers: { 'content-type': OCI_INDEX },
    body,
  });
  let pages = 0;
  it.each<[string, string, Decide]>([
    ['that is no JSON', 'REGISTRY', () => answer('<html>welcome</html>')],
    ['that is a list', 'REGISTRY', () => answer('[]')],
    [
      'whose entries have no digest',
      'REGISTRY',
      () => listing([{ mediaType: OCI_MANIFEST, size: 1 }]),
    ],
    ['of 10,000 entries', 'REGISTRY', () => listing(entries(0, 10_000))],
    [
      'that is its own next page',
      'REGISTRY',
      ({ url }) => listing(entries(0, 1), { link: `<${url}>; rel="next"` }),
    ],
    [
      'whose pages never end',
      'REGISTRY',
      () => listing([], { link: `<?page=${(pages += 1)}>; rel="next"` }),
    ],
    [
      'of endless pages that bring something',
      'REGISTRY',
      () => listing(entries((pages += 1), 1), { link: `<?page=${pages}>; rel="next"` }),
    ],
    ['that may not be read', 'NOT_ALLOWED', () => ({ kind: 'answer', status: 403 })],
    ['that fails', 'REGISTRY', () => ({ kind: 'answer', status: 500 })],
  ])('%s is an error, and none taken for empty', async (_, code, decide) => {
    const { outcome, requests, close } = await asked(decide);
    await expect(outcome).rejects.toMatchObject({ code });
    expect(requests()).toBeLessThan(1100);
    await close();
  });

  it('that is larger than a manifest may be names the repository', async () => {
    const { outcome, close } = await asked(() => answer(' '.repeat(MAX_MANIFEST_BYTES + 1)));
    await expect(outcome).rejects.toThrow(/referrers of sha256:\S+ in 127\.0\.0\.1:\d+\//);
    await close();
  });

  it.each(['', 'text/plain', 'application/octet-stream'])(
    'under a tag is one by its own words, where its header is %j',
    async (type) => {
      const tagged = listing(entries(0, 2)) as Fault & { kind: 'answer' };
      const proxy = await startFaultProxy(registry.url, ({ url }) =>
        url.endsWith(`/manifests/${tag}`)
          ? { ...tagged, headers: type === '' ? {} : { 'content-type': type } }
          : undefined,
      );
      const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1 });
      const store = client.repository({ registry: proxy.host, repository: 'a' });
      expect(await store.referrers(subject)).toHaveLength(2);
      await client.close();
      await proxy.stop();
    },
  );

  it('that is null is one of the kind that some registries write for an empty one', async () => {
    const { outcome, close } = await asked(() => answer('{"schemaVersion":2,"manifests":null}'));
    expect(await outcome).toEqual([]);
    await close();
  });

  describe('under a tag', () => {
    it('is refused where it has 10,000 entries, or is no list', async () => {
      const bodies = [
        JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries(0, 10_000) }),
        'not JSON',
      ];
      for (const body of bodies) {
        const proxy = await startFaultProxy(registry.url, ({ url }) =>
          url.includes('/manifests/sha256-') ? answer(body) : undefined,
        );
        const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1 });
        const store = client.repository({ registry: proxy.host, repository: 'a' });
        await expect(store.referrers(subject)).rejects.toMatchObject({ code: 'REGISTRY' });
        await client.close();
        await proxy.stop();
      }
    });
  });
});
