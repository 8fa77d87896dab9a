import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { seededBytes } from '../../scripts/lib/seeded-bytes.ts';
import { type ByteStream, streamOf } from '../../src/core/bytes.ts';
import { Pace } from '../../src/core/concurrency.ts';
import { anonymous } from '../../src/core/credentials.ts';
import type { TransferEvent } from '../../src/core/events.ts';
import { OCI_LAYER_GZIP } from '../../src/core/media-types.ts';
import { readVerified } from '../../src/transfer/verified.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import type { RegistryRepository } from '../../src/stores/registry/repository.ts';
import { type Held, held } from '../contract/content.ts';
import {
  type Decide,
  type Fault,
  type FaultProxy,
  startFaultProxy,
} from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { startNginx } from '../support/nginx.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

const MiB = 1024 * 1024;
const SIZE = 3 * MiB + 17;

/** What goes wrong with the n-th request, from 1, that matches. */
const nth = (pattern: RegExp, faults: Readonly<Record<number, Fault>>): Decide => {
  let seen = 0;
  return ({ method, url }) => (pattern.test(`${method} ${url}`) ? faults[++seen] : undefined);
};

const always = (pattern: RegExp, fault: Fault): Decide => {
  return ({ method, url }) => (pattern.test(`${method} ${url}`) ? fault : undefined);
};

describeWith(['docker-registry'], 'uploads to a registry', () => {
  let registry: TestRegistry;
  const cleanUp: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterEach(async () => {
    for (const task of cleanUp.splice(0).reverse()) await task();
  });
  afterAll(async () => registry.stop());

  interface Way {
    readonly proxy: FaultProxy;
    readonly store: RegistryRepository;
    readonly events: TransferEvent[];
    readonly pace: Pace;
  }

  async function wayTo(url: string, decide?: Decide): Promise<Way> {
    const proxy = await startFaultProxy(url, decide);
    cleanUp.push(proxy.stop);
    return { proxy, ...client(proxy.host) };
  }

  function client(host: string): Omit<Way, 'proxy'> {
    const events: TransferEvent[] = [];
    const pace = new Pace(8);
    const made = new RegistryClient({
      credentials: anonymous,
      ca: [],
      backoffMs: 1,
      stalledMs: 300,
      limits: [pace],
      observe: (event) => void events.push(event),
    });
    cleanUp.push(async () => made.close());
    return { store: made.repository({ registry: host, repository: 'some/images' }), events, pace };
  }

  const blobOf = (seed: string, size = SIZE): Held =>
    held(OCI_LAYER_GZIP, seededBytes(`upload: ${seed}`, size));

  /** Small chunks, so that a break is within a request. */
  async function* chunks(bytes: Uint8Array): ByteStream & AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
  }

  /** Pushes content that can be read again, and tells from where that was done. */
  async function push(
    store: RegistryRepository,
    { descriptor, bytes }: Held,
  ): Promise<readonly number[]> {
    const reread: number[] = [];
    const again = (start: number): ByteStream => {
      reread.push(start);
      return chunks(bytes.subarray(start));
    };
    await store.push(descriptor, chunks(bytes), { again });
    return reread;
  }

  async function expectThere(
    store: RegistryRepository,
    { descriptor, bytes }: Held,
  ): Promise<void> {
    expect(
      Buffer.compare(await readVerified(store.fetch(descriptor), descriptor, 32 * MiB), bytes),
    ).toBe(0);
  }

  const sent = ({ requests }: FaultProxy): number =>
    requests.reduce((total, { received }) => total + received, 0);
  const ranges = ({ requests }: FaultProxy): readonly unknown[] =>
    requests.flatMap(({ headers }) => headers['content-range'] ?? []);

  it('are one request', async () => {
    const { proxy, store } = await wayTo(registry.url);
    expect(await push(store, blobOf('plain'))).toEqual([]);
    expect(proxy.seen(/PATCH/)).toEqual([]);
    expect(sent(proxy)).toBe(SIZE);
  });

  it('continue from the byte that the registry holds', async () => {
    const blob = blobOf('kept');
    const { proxy, store, events } = await wayTo(
      registry.url,
      nth(/^PUT/, { 1: { kind: 'keep-request', bytes: 1_750_000 } }),
    );
    await push(store, blob);
    await expectThere(store, blob);
    expect(ranges(proxy)).toEqual([`1750000-${SIZE - 1}`]);
    const [broken, rest] = proxy.requests.filter(({ method }) => ['PUT', 'PATCH'].includes(method));
    expect(broken!.received).toBeLessThan(SIZE);
    expect(rest!.received).toBe(SIZE - 1_750_000);
    expect(events).toMatchObject([{ type: 'retried', attempt: 1 }]);
  });

  it('begin anew where the registry holds nothing any more', async () => {
    const blob = blobOf('lost session');
    const cut = nth(/^PUT/, { 1: { kind: 'cut-request', after: 1_000_000 } });
    const { proxy, store } = await wayTo(registry.url, (request) =>
      request.method === 'GET' && request.url.includes('/uploads/')
        ? { kind: 'answer', status: 404 }
        : cut(request),
    );
    expect(await push(store, blob)).toEqual([0]);
    await expectThere(store, blob);
    expect(proxy.seen(/^POST/)).toHaveLength(2);
  });

  it.each([404, 416])('ask where they are when a chunk is answered with %d', async (status) => {
    const blob = blobOf(`moved ${status}`);
    const headers = { 'oci-chunk-min-length': String(MiB) };
    const patches = nth(/^PATCH/, { 1: { kind: 'answer', status } });
    const { proxy, store } = await wayTo(registry.url, (request) =>
      request.method === 'POST' ? { kind: 'headers', headers } : patches(request),
    );
    await push(store, blob);
    await expectThere(store, blob);
    expect(proxy.seen(/^(GET|PATCH|PUT) .*uploads/).length).toBeGreaterThan(1);
  });

  it.each(['reset', 'stall-request'] as const)('go on after %s', async (kind) => {
    // More than the system's own buffers take.
    const blob = blobOf(kind, 24 * MiB);
    const fault: Fault = kind === 'reset' ? { kind } : { kind, after: 1_000_000 };
    const { store, events } = await wayTo(registry.url, nth(/^PUT/, { 1: fault }));
    await push(store, blob);
    await expectThere(store, blob);
    expect(events).toHaveLength(1);
  });

  it('are not sent again where only the answer was lost', async () => {
    const blob = blobOf('answer');
    const { proxy, store } = await wayTo(
      registry.url,
      nth(/^PUT/, { 1: { kind: 'reset-answer' } }),
    );
    expect(await push(store, blob)).toEqual([]);
    expect(sent(proxy)).toBe(SIZE);
  });

  it('wait as long as Retry-After says, and slow down', async () => {
    const blob = blobOf('too many');
    const fault: Fault = { kind: 'answer', status: 429, headers: { 'retry-after': '1' } };
    const { store, events, pace } = await wayTo(registry.url, nth(/^PUT/, { 1: fault }));
    await push(store, blob);
    await expectThere(store, blob);
    expect(events).toMatchObject([{ type: 'retried', delayMs: 1000 }]);
    expect(pace.now).toBeLessThan(8);
  });

  it('go up in chunks where the registry asks for them', async () => {
    const blob = blobOf('asked');
    const headers = { 'oci-chunk-min-length': String(MiB) };
    const { proxy, store } = await wayTo(
      registry.url,
      always(/^POST/, { kind: 'headers', headers }),
    );
    await push(store, blob);
    await expectThere(store, blob);
    expect(proxy.seen(/^PATCH/)).toHaveLength(1);
    expect(
      proxy.requests.filter(({ method }) => method === 'PUT').map(({ received }) => received),
    ).toEqual([0]);
  });

  it('go up whole where the registry takes no chunks, from then on', async () => {
    const headers = { 'oci-chunk-min-length': String(MiB) };
    const { proxy, store } = await wayTo(registry.url, ({ method }) => {
      if (method === 'PATCH') return { kind: 'answer', status: 405 };
      return method === 'POST' ? { kind: 'headers', headers } : undefined;
    });
    for (const seed of ['no chunks', 'none again']) {
      const blob = blobOf(seed);
      await push(store, blob);
      await expectThere(store, blob);
    }
    expect(proxy.seen(/^PATCH/)).toHaveLength(1);
  });

  it('ask once more for content that was wrong, and no more often', async () => {
    const { descriptor, bytes } = blobOf('wrong once');
    const wrong = Buffer.from(bytes);
    wrong[wrong.length - 1]! ^= 1;
    const { store } = await wayTo(registry.url);
    let reads = 0;
    await expect(
      store.push(descriptor, chunks(wrong), { again: () => (reads++, chunks(wrong)) }),
    ).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
    expect(reads).toBe(1);
    await store.push(descriptor, chunks(wrong), {
      again: (start) => chunks(bytes.subarray(start)),
    });
    await expectThere(store, { descriptor, bytes });
  });

  it('do not ask once more where the content is the same each time', async () => {
    const { descriptor, bytes } = blobOf('steady');
    const wrong = Buffer.from(bytes);
    wrong[wrong.length - 1]! ^= 1;
    const { store, events } = await wayTo(registry.url);
    const again = (): never => expect.unreachable();
    await expect(
      store.push(descriptor, chunks(wrong), { again, isSteady: true }),
    ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    expect(events).toEqual([]);
  });

  it('try a second time, and no third, what the registry finds wrong', async () => {
    const body = '{"errors":[{"code":"DIGEST_INVALID"}]}';
    const { proxy, store } = await wayTo(
      registry.url,
      always(/^PUT/, { kind: 'answer', status: 400, body }),
    );
    await expect(push(store, blobOf('refused'))).rejects.toMatchObject({
      code: 'REGISTRY',
      temporary: false,
    });
    expect(proxy.seen(/^PUT/)).toHaveLength(2);
  });

  it('go on as often as a token runs out on the way, but not where nothing helps', async () => {
    let chunk = 0;
    const { proxy, store } = await wayTo(registry.url, ({ method, headers }) => {
      if (Number(headers['content-length']) > MiB) return { kind: 'answer', status: 413 };
      return method === 'PATCH' && (chunk += 1) % 2 === 0
        ? { kind: 'answer', status: 401 }
        : undefined;
    });
    const blob = blobOf('long', 5 * MiB + 1);
    await push(store, blob);
    await expectThere(store, blob);
    expect(proxy.requests.filter(({ status }) => status === 401).length).toBeGreaterThan(3);
    const { store: locked } = await wayTo(
      registry.url,
      always(/^(PUT|PATCH)/, { kind: 'answer', status: 401 }),
    );
    await expect(push(locked, blobOf('locked'))).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
  });

  it('end at once where they are not allowed', async () => {
    const { proxy, store } = await wayTo(
      registry.url,
      always(/^PUT/, { kind: 'answer', status: 403 }),
    );
    await expect(push(store, blobOf('denied'))).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
    expect(proxy.seen(/^PUT/)).toHaveLength(1);
    expect(proxy.seen(/^DELETE/)).toHaveLength(1);
  });

  it('end after ten attempts without progress, and leave no session', async () => {
    const { proxy, store } = await wayTo(
      registry.url,
      always(/^(PUT|PATCH)/, { kind: 'answer', status: 500 }),
    );
    await expect(push(store, blobOf('always'))).rejects.toMatchObject({ code: 'REGISTRY' });
    expect(proxy.seen(/^(PUT|PATCH)/)).toHaveLength(10);
    expect(proxy.seen(/^DELETE/)).toHaveLength(1);
  });

  it('notice a blob that was stored under another digest', async () => {
    const headers = { 'docker-content-digest': blobOf('other').descriptor.digest };
    const { store } = await wayTo(registry.url, always(/^PUT/, { kind: 'headers', headers }));
    await expect(push(store, blobOf('stored'))).rejects.toMatchObject({
      code: 'REGISTRY',
      got: headers['docker-content-digest'],
    });
  });

  it('do not go on with a source that broke', async () => {
    const { descriptor, bytes } = blobOf('source');
    const broken = new Error('the medium broke');
    const content = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 500_000);
      throw broken;
    };
    const { proxy, store } = await wayTo(registry.url);
    await expect(
      store.push(descriptor, content(), { again: (start) => streamOf(bytes.subarray(start)) }),
    ).rejects.toBe(broken);
    expect(proxy.seen(/^DELETE/)).toHaveLength(1);
  });

  describeWith(['nginx'], 'behind nginx with its limit of 1 MB', () => {
    async function limited(upstream: string): Promise<string> {
      const nginx = await startNginx(upstream, '1m');
      cleanUp.push(nginx.stop);
      return nginx.host;
    }

    it('go through by chunks, and at once from the second on', async () => {
      const behind = await startFaultProxy(registry.url);
      cleanUp.push(behind.stop);
      const { store, events } = client(await limited(behind.url));
      const blobs = [blobOf('nginx 1'), blobOf('nginx 2', 7 * MiB)];
      for (const blob of blobs) {
        await push(store, blob);
        await expectThere(store, blob);
      }
      expect(Math.max(...behind.requests.map(({ received }) => received))).toBe(MiB);
      expect(sent(behind)).toBe(SIZE + 7 * MiB);
      expect(events).toEqual([]);
    });

    it('continue from the offset that the registry reports', async () => {
      const cut = nth(/^PATCH/, {
        3: { kind: 'cut-request', after: 600_000 },
        6: { kind: 'reset' },
      });
      const behindNginx = `http://${await limited(registry.url)}`;
      let isSecond = false;
      const { proxy, store, events } = await wayTo(behindNginx, (request) =>
        isSecond ? cut(request) : undefined,
      );
      await push(store, blobOf('teaches the limit'));
      const before = sent(proxy);
      const first = proxy.requests.length;
      isSecond = true;
      const blob = blobOf('broken twice', 6 * MiB);
      await push(store, blob);
      await expectThere(store, blob);
      const lost = proxy.requests
        .slice(first)
        .filter(({ received }) => received > 0 && received < MiB && received >= 600_000);
      expect(sent(proxy) - before - 6 * MiB).toBeLessThan(MiB);
      expect(lost).toHaveLength(1);
      expect(events).toHaveLength(2);
      expect(proxy.seen(/^POST/)).toHaveLength(2);
    });
  });

  describe('mounted from another repository', () => {
    it('cost nothing', async () => {
      const blob = blobOf('mounted');
      const { proxy, store } = await wayTo(registry.url);
      await push(store, blob);
      const made = new RegistryClient({ credentials: anonymous, ca: [] });
      cleanUp.push(async () => made.close());
      const [from, to] = ['some/images', 'other/images'].map((repository) =>
        made.repository({ registry: proxy.host, repository }),
      );
      expect(await to!.mount(blob.descriptor, from!)).toBe(true);
      expect(sent(proxy)).toBe(SIZE);
    });
  });
});
