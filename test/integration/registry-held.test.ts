import fc from 'fast-check';
import { readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { seededBytes } from '../../scripts/lib/seeded-bytes.ts';
import { streamOf } from '../../src/core/bytes.ts';
import { anonymous } from '../../src/core/credentials.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import type { TransferEvent } from '../../src/core/events.ts';
import { OCI_LAYER_GZIP } from '../../src/core/media-types.ts';
import { MemoryStore } from '../../src/stores/memory.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import type { RegistryRepository } from '../../src/stores/registry/repository.ts';
import { copyImages } from '../../src/transfer/copy.ts';
import { readVerified } from '../../src/transfer/verified.ts';
import { type Held, held } from '../contract/content.ts';
import { describeWith } from '../support/needs.ts';
import {
  contentAnswer,
  type Odd,
  type OddAnswer,
  type OddRegistry,
  startOddRegistry,
} from '../support/odd-registry.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { keep, manifestOf, planOf, requestFor, WatchedStore } from '../unit/transfer/images.ts';

const REPOSITORY = 'some/images';
const LIMIT = 1024 * 1024;

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const task of cleanUp.splice(0).reverse()) await task();
});

function open(host: string, observe?: (event: TransferEvent) => void): RegistryRepository {
  const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1, observe });
  cleanUp.push(async () => client.close());
  return client.repository({ registry: host, repository: REPOSITORY });
}

async function odd(is?: Odd): Promise<OddRegistry> {
  const registry = await startOddRegistry(is);
  cleanUp.push(registry.stop);
  return registry;
}

async function isGiven(store: RegistryRepository, descriptor: Descriptor): Promise<boolean> {
  try {
    await readVerified(store.fetch(descriptor), descriptor, LIMIT);
    return true;
  } catch {
    return false;
  }
}

/** One small enough to be read whole, and others of which the end is asked for. */
const BLOBS = [10, 16 * 1024, 16 * 1024 + 1, 70_000].map((size, index) =>
  held(OCI_LAYER_GZIP, seededBytes(`blob ${index}`, size)),
);

/** What happens to one blob at the registry. */
type Step =
  /** It is sent, by the program itself. */
  | { readonly do: 'push'; readonly blob: number }
  /** It goes from the storage; a cache that knows its size is not told. */
  | { readonly do: 'lose'; readonly blob: number }
  /** Its file is cut to this share. */
  | { readonly do: 'cut'; readonly blob: number; readonly share: number }
  /** Its file gets longer. */
  | { readonly do: 'extend'; readonly blob: number }
  /** The registry is restarted: its cache is empty. */
  | { readonly do: 'restart' };

const blob = fc.nat({ max: BLOBS.length - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('push' as const), blob }),
  fc.record({ do: fc.constant('lose' as const), blob }),
  fc.record({
    do: fc.constant('cut' as const),
    blob,
    share: fc.double({ min: 0, max: 0.999, noNaN: true }),
  }),
  fc.record({ do: fc.constant('extend' as const), blob }),
  fc.record({ do: fc.constant('restart' as const) }),
);

/** How the registry gives blobs, whatever happens to them. */
interface Manner {
  readonly caches: boolean;
  readonly parts: boolean;
  /** Whether blobs are given by another host, to which it redirects. */
  readonly redirects: boolean;
  /** Whether it tells lengths. */
  readonly chunked: boolean;
}

const manner: fc.Arbitrary<Manner> = fc.record({
  caches: fc.boolean(),
  parts: fc.boolean(),
  redirects: fc.boolean(),
  chunked: fc.boolean(),
});

describe('whether a registry holds a blob', () => {
  /** Answers as the manner says; `sizes` is the cache. */
  function answers(
    how: Manner,
    sizes: Map<string, number>,
    storage: string,
  ): { registry: Odd; storage: (of: OddRegistry) => Odd } {
    const give: Odd = (request, { blobs }) => {
      const [, digest = ''] = /\/blobs\/(sha256:[0-9a-f]+)/.exec(request.url) ?? [];
      if (digest === '' || !['GET', 'HEAD'].includes(request.method)) return undefined;
      const bytes = blobs.get(`${REPOSITORY}@${digest}`);
      const size = how.caches ? (sizes.get(digest) ?? bytes?.length) : bytes?.length;
      if (size !== undefined && how.caches) sizes.set(digest, size);
      if (size === undefined) return { status: 404 };
      const claimed = Buffer.alloc(size);
      bytes?.copy(claimed);
      const { headers } = request;
      const asked = how.parts ? request : { ...request, headers: { ...headers, range: '' } };
      const answer = contentAnswer(claimed, asked);
      const [, start = '0'] = /^bytes ([0-9]+)/.exec(answer.headers?.['content-range'] ?? '') ?? [];
      const there = Math.max(0, (bytes?.length ?? 0) - Number(start));
      const isShort = answer.body !== undefined && there < answer.body.length;
      return {
        ...answer,
        ...(how.chunked && { headers: { ...answer.headers, 'transfer-encoding': 'chunked' } }),
        ...(isShort && { cutAfter: there }),
      } satisfies OddAnswer;
    };
    if (!how.redirects) return { registry: give, storage: () => () => undefined };
    const redirect: Odd = ({ url, method }) =>
      url.includes('/blobs/sha256:') && ['GET', 'HEAD'].includes(method)
        ? { status: 307, headers: { location: `${storage}${url}?signed` } }
        : undefined;
    // As storages do with URLs that are signed for GET.
    return {
      registry: redirect,
      storage: (of) => (request) =>
        request.method === 'HEAD' ? { status: 403 } : give(request, of.state),
    };
  }

  it('is what a GET then gives, whatever was lost, cut and cached', async () => {
    await fc.assert(
      fc.asyncProperty(
        manner,
        fc.array(step, { minLength: 1, maxLength: 8 }),
        async (how, steps) => {
          const storage = await odd();
          const registry = await odd();
          const sizes = new Map<string, number>();
          const by = answers(how, sizes, storage.url);
          registry.be(by.registry);
          storage.be(by.storage(registry));
          const { blobs } = registry.state;
          // What happens to a blob that is there, and known, tells most.
          for (const { descriptor, bytes } of BLOBS) {
            blobs.set(`${REPOSITORY}@${descriptor.digest}`, Buffer.from(bytes));
            if (how.caches) sizes.set(descriptor.digest, bytes.length);
          }
          try {
            for (const each of steps) {
              if (each.do === 'restart') sizes.clear();
              else {
                const { descriptor, bytes } = BLOBS[each.blob]!;
                const key = `${REPOSITORY}@${descriptor.digest}`;
                const now = blobs.get(key);
                if (each.do === 'push') {
                  sizes.delete(descriptor.digest);
                  await open(registry.host).push(descriptor, streamOf(bytes), { isAbsent: true });
                } else if (each.do === 'lose') blobs.delete(key);
                else if (each.do === 'extend' && now !== undefined)
                  blobs.set(key, Buffer.concat([now, Buffer.from('more')]));
                else if (each.do === 'cut' && now !== undefined)
                  blobs.set(key, now.subarray(0, Math.floor(now.length * each.share)));
              }
              const store = open(registry.host);
              const touched = each.do === 'restart' ? BLOBS : [BLOBS[each.blob]!];
              for (const { descriptor } of touched) {
                const said = await store.exists(descriptor);
                const given = await isGiven(open(registry.host), descriptor);
                expect({ said, ...descriptor }).toEqual({ said: given, ...descriptor });
              }
            }
          } finally {
            for (const task of cleanUp.splice(0).reverse()) await task();
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('costs one request, and no HEAD', async () => {
    const registry = await odd();
    const store = open(registry.host);
    const [there, absent] = [BLOBS[3]!, BLOBS[2]!];
    await store.push(there.descriptor, streamOf(there.bytes), { isAbsent: true });
    const before = registry.requests.length;
    expect(await store.exists(there.descriptor)).toBe(true);
    expect(await store.exists(absent.descriptor)).toBe(false);
    expect(registry.requests.slice(before).map((line) => line.split(' ')[0])).toEqual([
      'GET',
      'GET',
    ]);
  });

  it.each<[string, Odd | undefined]>([
    ['refuses whoever asks from here', () => ({ status: 403, body: '<html>blocked</html>' })],
    ['cannot be reached from here', undefined],
  ])('is what the registry says where its storage %s; that is reported once', async (_, answer) => {
    const storage = await startOddRegistry(answer);
    if (answer === undefined) await storage.stop();
    else cleanUp.push(storage.stop);
    const held = BLOBS[3]!.descriptor;
    const registry = await odd(({ url, method }) =>
      method === 'GET' && url.endsWith(held.digest)
        ? { status: 307, headers: { location: `${storage.url}${url}` } }
        : undefined,
    );
    const events: TransferEvent[] = [];
    const store = open(registry.host, (event) => {
      if (event.type === 'noticed') events.push(event);
    });
    expect(await store.exists(held)).toBe(true);
    expect(await store.exists(held)).toBe(true);
    expect(await store.exists(BLOBS[2]!.descriptor)).toBe(false);
    expect(events).toMatchObject([
      { code: 'storage-not-asked', registry: registry.host, storage: storage.host },
    ]);
  });

  it('is asked after a mount too: a registry may mount what it has lost', async () => {
    const registry = await odd(({ method, url }) =>
      method === 'POST' && url.includes('mount=') ? { status: 201 } : undefined,
    );
    const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1 });
    cleanUp.push(async () => client.close());
    const name = (repository: string): RegistryRepository =>
      client.repository({ registry: registry.host, repository });
    expect(await name('other').mount(BLOBS[0]!.descriptor, name(REPOSITORY))).toBe(false);
  });

  it('is asked with the whole of a manifest: another one under its digest is none', async () => {
    const image = manifestOf('some', []);
    const registry = await odd(({ method, url }) =>
      method === 'GET' && url.includes('/manifests/')
        ? { status: 200, body: JSON.stringify({ schemaVersion: 2 }) }
        : undefined,
    );
    expect(await open(registry.host).exists(image.descriptor)).toBe(false);
  });

  it('is not taken from a size: a tag is not set over a blob that was cut off', async () => {
    const layer = BLOBS[3]!;
    const image = manifestOf('cut', [layer]);
    const source = new WatchedStore('medium');
    await keep(source, layer, held('application/vnd.oci.image.config.v1+json', '{"of":"cut"}'));
    await keep(source, image);
    source.alter = (bytes, digest) =>
      digest === layer.descriptor.digest ? bytes.map((byte) => byte ^ 1) : bytes;
    const registry = await odd();
    const target = open(registry.host);
    registry.state.blobs.set(
      `${REPOSITORY}@${layer.descriptor.digest}`,
      Buffer.from(layer.bytes.subarray(0, 60_000)),
    );
    const plan = await planOf([requestFor('cut', image, source)]);
    const { signal } = new AbortController();
    await expect(
      copyImages(plan, [], () => target, { concurrency: 2, signal, observe: () => undefined }),
    ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH', side: 'source' });
    expect([...registry.state.tags.keys()]).toEqual([]);
  });
});

describeWith(['docker-registry'], 'a blob whose file the registry lost', () => {
  async function pushed(caches: boolean): Promise<{
    registry: TestRegistry;
    image: Held;
    store: RegistryRepository;
    again: () => Promise<void>;
    layer: Held;
    file: string;
  }> {
    const registry = await startRegistry({ caches });
    cleanUp.push(registry.stop);
    const layer = BLOBS[3]!;
    const image = manifestOf('lost', [layer]);
    const source = new MemoryStore('source');
    const config = held('application/vnd.oci.image.config.v1+json', '{"of":"lost"}');
    await keep(source, config, layer, image);
    const again = async (): Promise<void> => {
      const plan = await planOf([requestFor('lost', image, source)]);
      const { signal } = new AbortController();
      const target = open(registry.host);
      await copyImages(plan, [], () => target, {
        concurrency: 2,
        signal,
        observe: () => undefined,
      });
    };
    await again();
    const file = dataOf(registry, layer.descriptor);
    return { registry, store: open(registry.host), again, image, layer, file };
  }

  it.each([
    ['with a cache of sizes', true],
    ['without one', false],
  ])('is sent again: %s', async (_, caches) => {
    const { store, again, layer, file } = await pushed(caches);
    expect(await store.exists(layer.descriptor)).toBe(true);
    unlinkSync(file);
    expect(await store.exists(layer.descriptor)).toBe(false);
    await again();
    expect(await isGiven(store, layer.descriptor)).toBe(true);
  });

  it.each([
    ['with a cache of sizes', true],
    ['without one', false],
  ])('a part of is not taken for it: %s', async (_, caches) => {
    const { store, again, layer, file } = await pushed(caches);
    truncateSync(file, 60_000);
    expect(await store.exists(layer.descriptor)).toBe(false);
    // distribution takes the upload, and keeps the file that it has.
    await expect(again()).rejects.toMatchObject({
      ...{ code: 'REGISTRY', exitStatus: 25, side: 'target' },
      message: expect.stringContaining('keeps a damaged copy') as string,
    });
    unlinkSync(file);
    await again();
    expect(await store.exists(layer.descriptor)).toBe(true);
  });

  it.each(['blob', 'config'])('has a small %s that is damaged told by its digest', async (what) => {
    const registry = await startRegistry();
    cleanUp.push(registry.stop);
    const config = held('application/vnd.oci.image.config.v1+json', '{"of":"small"}');
    const image = manifestOf('small', [BLOBS[0]!]);
    const source = new MemoryStore('source');
    await keep(source, config, BLOBS[0]!, image);
    const plan = await planOf([requestFor('small', image, source)]);
    const copy = async (): Promise<unknown> => {
      const target = open(registry.host);
      const options = { concurrency: 2, signal: new AbortController().signal };
      return copyImages(plan, [], () => target, { ...options, observe: () => undefined });
    };
    await copy();
    const { descriptor } = what === 'blob' ? BLOBS[0]! : config;
    const file = dataOf(registry, descriptor);
    const bytes = readFileSync(file);
    for (const damaged of [bytes.subarray(1), Buffer.alloc(0), bytes.map((byte) => byte ^ 1)]) {
      writeFileSync(file, damaged);
      await expect(copy()).rejects.toMatchObject({
        ...{ code: 'REGISTRY', side: 'target' },
        message: expect.stringContaining(`keeps a damaged copy of ${descriptor.digest}`) as string,
      });
    }
    writeFileSync(file, bytes);
    await copy();
  });

  it('and is that of a manifest ends with a word on the storage, not on patience alone', async () => {
    const { registry, image, store } = await pushed(false);
    writeFileSync(dataOf(registry, image.descriptor), '{');
    await expect(store.resolve('lost')).rejects.toMatchObject({
      code: 'REGISTRY',
      message: expect.stringContaining('answered 500') as string,
      hint: expect.stringContaining('its own storage') as string,
    });
  });
});

/** The file in which distribution keeps content. */
function dataOf({ root }: TestRegistry, { digest }: Descriptor): string {
  const hex = digest.slice('sha256:'.length);
  return join(root, `storage/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`);
}
