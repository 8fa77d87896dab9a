import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { seededBytes } from '../../scripts/lib/seeded-bytes.ts';
import { type ByteStream, readAll, streamOf } from '../../src/core/bytes.ts';
import { anonymous, Credentials, type CredentialSource } from '../../src/core/credentials.ts';
import { BundleError } from '../../src/core/errors.ts';
import type { TransferEvent } from '../../src/core/events.ts';
import { OCI_LAYER_GZIP } from '../../src/core/media-types.ts';
import { readVerified } from '../../src/transfer/verified.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import type { RegistryRepository } from '../../src/stores/registry/repository.ts';
import { fill } from '../contract/store.ts';
import { type Held, held, LARGE_BYTES, sample } from '../contract/content.ts';
import { type Decide, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { startRegistry, type TestRegistry, USER } from '../support/registry.ts';

const REPOSITORY = 'release/images';
const LIMIT = 2 * LARGE_BYTES;
const { large, small, oci } = sample;
const known: CredentialSource = {
  lookup: async () => new Credentials(USER.username, USER.password),
  places: ['/run/auth.json'],
};

describeWith(['docker-registry'], 'a registry behind faults', () => {
  let registry: TestRegistry;
  let locked: TestRegistry;
  const cleanUp: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    registry = await startRegistry();
    locked = await startRegistry({ htpasswd: true });
    await filled(registry);
    await filled(locked);
  });
  afterEach(async () => {
    for (const task of cleanUp.splice(0).reverse()) await task();
  });
  afterAll(async () => {
    await registry.stop();
    await locked.stop();
  });

  async function filled({ host }: TestRegistry): Promise<void> {
    const client = new RegistryClient({ credentials: known, ca: [] });
    await fill(client.repository({ registry: host, repository: REPOSITORY }), sample);
    await client.close();
  }

  async function proxied(
    decide?: Decide,
    options: {
      to?: TestRegistry;
      credentials?: CredentialSource;
      repository?: string;
      stalledMs?: number;
    } = {},
  ): Promise<{
    proxy: FaultProxy;
    store: RegistryRepository;
    client: RegistryClient;
    events: TransferEvent[];
  }> {
    const proxy = await startFaultProxy((options.to ?? registry).url, decide);
    const events: TransferEvent[] = [];
    const observe = (event: TransferEvent): void => void events.push(event);
    const { credentials = anonymous, stalledMs } = options;
    const client = new RegistryClient({ credentials, ca: [], backoffMs: 1, observe, stalledMs });
    cleanUp.push(proxy.stop, async () => client.close());
    const store = client.repository({
      registry: proxy.host,
      repository: options.repository ?? REPOSITORY,
    });
    return { proxy, store, client, events };
  }

  const once = (pattern: RegExp, fault: ReturnType<Decide>, times = 1): Decide => {
    let left = times;
    return ({ method, url }) =>
      pattern.test(`${method} ${url}`) && left-- > 0 ? fault : undefined;
  };

  const newBlob = (seed: string): Held => held(OCI_LAYER_GZIP, seededBytes(seed, 300_000));

  describe('reading', () => {
    it.each([408, 425, 429, 500, 502, 503, 504])('tries again after %d', async (status) => {
      const { proxy, store, events } = await proxied(
        once(/GET .*blobs/, { kind: 'answer', status }, 2),
      );
      expect(await readVerified(store.fetch(small.descriptor), small.descriptor)).toEqual(
        small.bytes,
      );
      expect(proxy.seen(/GET .*blobs/)).toHaveLength(3);
      expect(events.map((event) => event.type === 'retried' && event.attempt)).toEqual([1, 2]);
    });

    it('waits as long as Retry-After says', async () => {
      const { store, events } = await proxied(
        once(/manifests/, { kind: 'answer', status: 429, headers: { 'retry-after': '1' } }),
      );
      expect(await store.resolve('multi')).toEqual(sample.ociIndex.descriptor);
      expect(events).toMatchObject([{ type: 'retried', cause: 'status 429', delayMs: 1000 }]);
    });

    it('gives up after ten attempts, and says what the registry said', async () => {
      const body = JSON.stringify({
        errors: [{ code: 'UNAVAILABLE', message: 'down\u001b[31m for\r\nmaintenance' }],
      });
      const { proxy, store } = await proxied(
        once(/manifests/, { kind: 'answer', status: 503, body }, 99),
      );
      const error: unknown = await store.resolve('multi').catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'REGISTRY', temporary: false });
      expect((error as BundleError).message).toContain('UNAVAILABLE: down [31m for maintenance');
      expect(proxy.seen(/manifests/)).toHaveLength(10);
    });

    it('does not repeat what was refused for good', async () => {
      const { proxy, store } = await proxied(
        once(/manifests/, { kind: 'answer', status: 400 }, 99),
      );
      await expect(store.resolve('multi')).rejects.toMatchObject({
        code: 'REGISTRY',
        temporary: false,
      });
      expect(proxy.seen(/manifests/)).toHaveLength(1);
    });

    it('tries again after a reset', async () => {
      const { store, events } = await proxied(once(/blobs/, { kind: 'reset' }, 2));
      expect(await readVerified(store.fetch(small.descriptor), small.descriptor)).toEqual(
        small.bytes,
      );
      expect(events).toHaveLength(2);
    });

    it('continues a transfer that broke, from the byte where it broke', async () => {
      const { proxy, store } = await proxied(({ url, nth }) =>
        url.includes(large.descriptor.digest) && nth <= 3
          ? { kind: 'cut', after: 700_001 }
          : undefined,
      );
      const got = await readVerified(store.fetch(large.descriptor), large.descriptor, LIMIT);
      expect(Buffer.compare(got, large.bytes)).toBe(0);
      const ranges = proxy.requests
        .filter(({ url }) => url.includes(large.descriptor.digest))
        .map(({ headers }) => headers.range);
      expect(ranges).toEqual([undefined, ...[1, 2, 3].map((count) => `bytes=${count * 700_001}-`)]);
    });

    it('continues a range within the range', async () => {
      const { proxy, store } = await proxied(once(/blobs/, { kind: 'cut', after: 1000 }));
      const got = await readAll(
        store.fetch(large.descriptor, { range: { start: 5000, end: 9000 } }),
        LIMIT,
        'range',
      );
      expect(Buffer.compare(got, large.bytes.subarray(5000, 9000))).toBe(0);
      expect(proxy.requests.flatMap(({ headers }) => headers.range ?? [])).toEqual([
        'bytes=5000-8999',
        'bytes=6000-8999',
      ]);
    });

    it('gives up on a transfer that always breaks', async () => {
      const { proxy, store } = await proxied(once(/blobs/, { kind: 'cut', after: 100 }, 99));
      await expect(readAll(store.fetch(large.descriptor), LIMIT, 'blob')).rejects.toMatchObject({
        code: 'NETWORK',
        temporary: true,
      });
      expect(proxy.seen(/blobs/)).toHaveLength(10);
    });

    it('skips to a range that the registry does not give by itself', async () => {
      const { store } = await proxied(once(/blobs/, { kind: 'no-range' }, 99));
      const range = { start: 1_000_000, end: 1_000_100 };
      const got = await readAll(store.fetch(large.descriptor, { range }), LIMIT, 'range');
      expect(Buffer.compare(got, large.bytes.subarray(range.start, range.end))).toBe(0);
    });

    it('reads again what it had where a broken transfer cannot be continued', async () => {
      const { proxy, store } = await proxied(({ url, nth }) =>
        url.includes('blobs')
          ? nth === 1
            ? { kind: 'cut', after: 1_000_000 }
            : { kind: 'no-range' }
          : undefined,
      );
      const got = await readVerified(store.fetch(large.descriptor), large.descriptor, LIMIT);
      expect(Buffer.compare(got, large.bytes)).toBe(0);
      expect(proxy.seen(/blobs/)).toHaveLength(2);
    });

    it('continues what ended too early without a broken connection', async () => {
      const { proxy, store, events } = await proxied(
        once(/blobs/, { kind: 'short', bytes: 1_500_000 }),
      );
      const got = await readVerified(store.fetch(large.descriptor), large.descriptor, LIMIT);
      expect(Buffer.compare(got, large.bytes)).toBe(0);
      expect(proxy.requests.map(({ headers }) => headers.range)).toContain('bytes=1500000-');
      expect(events).toHaveLength(1);
    });

    it('takes content that is shorter than promised for what it is', async () => {
      const { proxy, store } = await proxied();
      const promised = { ...small.descriptor, size: small.descriptor.size + 5 };
      await expect(readVerified(store.fetch(promised), promised)).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
      expect(proxy.seen(/blobs/)).toHaveLength(2);
    });

    it('continues a transfer that stalled', async () => {
      const { proxy, store } = await proxied(once(/blobs/, { kind: 'stall', after: 1_200_000 }), {
        stalledMs: 300,
      });
      const got = await readVerified(store.fetch(large.descriptor), large.descriptor, LIMIT);
      expect(Buffer.compare(got, large.bytes)).toBe(0);
      expect(proxy.requests.map(({ headers }) => headers.range)).toContain('bytes=1200000-');
    });

    it('takes no other part for the one that was asked for', async () => {
      const headers = { 'content-range': `bytes 6-15/${LARGE_BYTES}` };
      const { store } = await proxied(once(/blobs/, { kind: 'headers', headers }));
      const reading = readAll(
        store.fetch(large.descriptor, { range: { start: 5, end: 15 } }),
        LIMIT,
        'range',
      );
      await expect(reading).rejects.toMatchObject({ code: 'NETWORK' });
    });

    it('does not pass off a wrong byte', async () => {
      const { store } = await proxied(once(/blobs/, { kind: 'flip', at: 1_234_567 }));
      await expect(
        readVerified(store.fetch(large.descriptor), large.descriptor, LIMIT),
      ).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
    });

    it('believes no header about a digest', async () => {
      const headers = { 'docker-content-digest': sample.docker.descriptor.digest };
      const { store } = await proxied(once(/manifests/, { kind: 'headers', headers }, 9));
      expect(await store.resolve('multi')).toEqual(sample.ociIndex.descriptor);
    });

    it('asks once more for a manifest that was altered, and no more often', async () => {
      const { store, events } = await proxied(once(/manifests/, { kind: 'flip', at: 20 }));
      expect(await store.resolve(oci.descriptor.digest)).toEqual(oci.descriptor);
      expect(events).toHaveLength(1);
    });

    it('takes no other manifest for a digest', async () => {
      const { proxy, store } = await proxied(once(/manifests/, { kind: 'flip', at: 20 }, 99));
      await expect(store.resolve(oci.descriptor.digest)).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
      expect(proxy.seen(/manifests/)).toHaveLength(2);
    });

    it.each([
      ['a manifest', /manifests/, async (store: RegistryRepository) => store.resolve('multi')],
      ['a list of tags', /tags/, async (store: RegistryRepository) => store.tags()],
    ])('reads %s again that was cut', async (_, pattern, read) => {
      const { proxy, store } = await proxied(once(pattern, { kind: 'cut', after: 5 }));
      await read(store);
      expect(proxy.seen(pattern)).toHaveLength(2);
    });

    it('takes no manifest above the ceiling', async () => {
      const { store } = await proxied(
        once(/manifests/, { kind: 'answer', status: 200, body: ' '.repeat(4 * 1024 * 1024 + 1) }),
      );
      await expect(store.resolve('multi')).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    });

    it('asks once for a manifest that was just resolved', async () => {
      const { proxy, store } = await proxied();
      const descriptor = await store.resolve('multi');
      expect(await readVerified(store.fetch(descriptor), descriptor)).toEqual(
        sample.ociIndex.bytes,
      );
      expect(proxy.seen(/manifests/)).toHaveLength(1);
    });

    it('follows pages of tags', async () => {
      const { proxy, store } = await proxied(({ url }) => {
        const page = (tags: string[], link?: string): ReturnType<Decide> => ({
          kind: 'answer',
          status: 200,
          body: JSON.stringify({ name: REPOSITORY, tags }),
          ...(link !== undefined && { headers: { link } }),
        });
        if (url.endsWith('n=1000'))
          return page(['a', 'b'], `</v2/${REPOSITORY}/tags/list?n=1000&last=b>; rel="next"`);
        if (url.endsWith('last=b'))
          return page(
            ['c'],
            `<http://${proxy.host}/v2/${REPOSITORY}/tags/list?last=c>; rel="next"`,
          );
        return url.endsWith('last=c') ? page(['d']) : undefined;
      });
      expect(await store.tags()).toEqual(['a', 'b', 'c', 'd']);
      expect(proxy.seen(/tags/)).toHaveLength(3);
    });

    it('takes pages that lead back to themselves for whole, unless something is removed', async () => {
      const { proxy, store, client } = await proxied(({ url }) => ({
        ...{ kind: 'answer', status: 200, body: JSON.stringify({ tags: ['a'] }) },
        headers: { link: `<${url}>; rel="next"` },
      }));
      expect(await store.tags()).toEqual(['a']);
      const removal = client.removal({ registry: proxy.host, repository: REPOSITORY });
      await expect(removal.tags(new AbortController().signal)).rejects.toMatchObject({
        code: 'REGISTRY',
        message: expect.stringContaining('lead back to themselves') as string,
      });
    });

    it('has no tags where there is no repository', async () => {
      const { store } = await proxied(undefined, { repository: 'no/such' });
      expect(await store.tags()).toEqual([]);
    });

    it.each([
      ['MANIFEST_UNKNOWN', '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'],
      ['NAME_UNKNOWN', '{"errors":[{"code":"NAME_UNKNOWN"}]}'],
      ['no code', '<html>nothing here'],
      ['a body that is no use', '{"errors":[null,7,{"code":{}}]}'],
    ])('NOT_FOUND for 404 with %s', async (_, body) => {
      const { store } = await proxied(once(/manifests/, { kind: 'answer', status: 404, body }));
      await expect(store.resolve('multi')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });

  describe('an answer that is no manifest', () => {
    it.each([
      ['a web page', '<html>Login please', 'text/html', /A web page came instead/],
      ['no byte', '', 'application/json', /wrong content/],
      ['a broken byte', '{"schemaVersion":2,', 'application/json', /wrong content/],
    ])('%s is refused, and the image that was asked for is named', async (_, body, type, hint) => {
      const headers = { 'content-type': type };
      const { proxy, store } = await proxied(
        once(/manifests/, { kind: 'answer', status: 200, headers, body }),
      );
      const error = await store.resolve('multi').catch((failure: unknown) => failure);
      expect(error).toMatchObject({
        code: 'UNSUPPORTED_CONTENT',
        subject: `${proxy.host}/${REPOSITORY}:multi`,
        got: type,
      });
      expect((error as BundleError).message).toMatch(
        new RegExp(`^${proxy.host}/${REPOSITORY}:multi cannot be read: manifest is not valid JSON`),
      );
      expect((error as BundleError).hint).toMatch(hint);
    });
  });

  describe('a registry without TLS, on this host', () => {
    it('that breaks connections is said to do so: no option is needed', async () => {
      const { store } = await proxied(() => ({ kind: 'reset' }));
      await expect(store.resolve('multi')).rejects.toMatchObject({
        code: 'NETWORK',
        message: expect.stringMatching(/connection (?:broken|closed) by the other end/) as string,
        hint: expect.not.stringContaining('--insecure-registry') as string,
      });
    });
  });

  describe('addresses that lead nowhere', () => {
    const setUp = expect.stringContaining('is set up wrongly') as string;

    it.each([
      ['file:///tmp/secret?a=b', 'redirects to file:///tmp/secret, which is no http(s) address'],
      ['http://[::bad', 'answered with a redirect to http://[::bad, which is no address'],
      ['', 'answered 307'],
    ])('a redirect to %j is told as it is', async (location, said) => {
      const headers = location === '' ? {} : { location };
      const { store } = await proxied(once(/blobs/, { kind: 'answer', status: 307, headers }));
      await expect(readAll(store.fetch(small.descriptor), LIMIT, 'blob')).rejects.toMatchObject({
        code: 'REGISTRY',
        message: expect.stringContaining(said) as string,
        hint: setUp,
      });
    });

    it.each([
      ['file:///tmp/secret', 'redirects to file:///tmp/secret, which is no http(s) address'],
      ['http://[::bad', 'gave http://[::bad, which is no address, for the upload'],
      ['', 'gave no URL for the upload'],
    ])('an upload that is to go to %j is told as it is', async (location, said) => {
      const blob = newBlob(`nowhere ${location}`);
      const { store } = await proxied(once(/POST/, { kind: 'headers', headers: { location } }));
      await expect(store.push(blob.descriptor, streamOf(blob.bytes))).rejects.toMatchObject({
        code: 'REGISTRY',
        message: expect.stringContaining(said) as string,
        hint: setUp,
      });
    });
  });

  describe('redirects', () => {
    it('are followed to another origin, without credentials', async () => {
      const storage = await startFaultProxy(registry.url);
      cleanUp.push(storage.stop);
      const { proxy, store } = await proxied(once(/blobs/, { kind: 'redirect', to: storage.url }), {
        to: locked,
        credentials: known,
      });
      expect(await readVerified(store.fetch(small.descriptor), small.descriptor)).toEqual(
        small.bytes,
      );
      expect(proxy.requests.at(-1)?.headers.authorization).toMatch(/^Basic /);
      expect(storage.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
      expect(storage.requests[0]?.headers.host).toBe(storage.host);
    });

    it('keep credentials within the origin', async () => {
      const { proxy, store } = await proxied(
        ({ url, nth }) =>
          url.includes('blobs') && nth === 1 ? { kind: 'redirect', to: '' } : undefined,
        { to: locked, credentials: known },
      );
      expect(await readVerified(store.fetch(small.descriptor), small.descriptor)).toEqual(
        small.bytes,
      );
      expect(
        proxy.requests
          .filter(({ url }) => url.includes('blobs'))
          .map(({ headers }) => typeof headers.authorization),
      ).toEqual(['string', 'string']);
    });

    it('keep the range', async () => {
      const storage = await startFaultProxy(registry.url);
      cleanUp.push(storage.stop);
      const { store } = await proxied(once(/blobs/, { kind: 'redirect', to: storage.url }));
      const got = await readAll(
        store.fetch(large.descriptor, { range: { start: 10, end: 20 } }),
        LIMIT,
        'range',
      );
      expect(Buffer.compare(got, large.bytes.subarray(10, 20))).toBe(0);
      expect(storage.requests[0]?.headers.range).toBe('bytes=10-19');
    });

    it('that go round in circles end', async () => {
      const { proxy, store } = await proxied(once(/blobs/, { kind: 'redirect', to: '' }, 99));
      await expect(readAll(store.fetch(small.descriptor), LIMIT, 'blob')).rejects.toMatchObject({
        code: 'REGISTRY',
        hint: expect.stringContaining('is set up wrongly') as string,
      });
      expect(proxy.seen(/blobs/)).toHaveLength(11);
    });
  });

  describe('writing', () => {
    it('says of content that was accepted and is not there who has lost it', async () => {
      const blob = newBlob('not kept');
      const { proxy, store } = await proxied(({ method, url }) =>
        method === 'PUT' && url.includes('blobs') ? { kind: 'answer', status: 201 } : undefined,
      );
      const fetching = (): Promise<unknown> => readAll(store.fetch(blob.descriptor), LIMIT, 'blob');
      await expect(fetching()).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await store.push(blob.descriptor, streamOf(blob.bytes));
      await expect(fetching()).rejects.toMatchObject({
        code: 'REGISTRY',
        message:
          `${proxy.host}/${REPOSITORY} does not have ${blob.descriptor.digest}, ` +
          'which it has accepted in this run',
      });
    });

    it('uploads once what is pushed twice', async () => {
      const blob = newBlob('twice');
      const { proxy, store } = await proxied();
      await store.push(blob.descriptor, streamOf(blob.bytes));
      await store.push(blob.descriptor, streamOf(blob.bytes));
      expect(proxy.seen(/POST/)).toHaveLength(1);
      expect(
        proxy.requests.filter(({ method }) => method === 'PUT').map(({ received }) => received),
      ).toEqual([blob.bytes.length]);
    });

    it('never completes an upload of wrong content', async () => {
      const blob = newBlob('never');
      const wrong = Buffer.from(blob.bytes);
      wrong[wrong.length - 1]! ^= 1;
      const { proxy, store } = await proxied();
      await expect(store.push(blob.descriptor, streamOf(wrong))).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
      expect(await store.exists(blob.descriptor)).toBe(false);
      expect(proxy.requests.find(({ method }) => method === 'PUT')?.received ?? 0).toBeLessThan(
        wrong.length,
      );
      expect(proxy.seen(/^DELETE/)).toHaveLength(1);
    });

    it('keeps what waits in the socket when the memory of a chunk is used again', async () => {
      // Nobody reads at the other end while small chunks are at hand, so they fill the system's
      // buffers and then ours.
      const blob = held(OCI_LAYER_GZIP, seededBytes('reused memory', 12_000_000));
      const reused = async function* (): AsyncGenerator<Uint8Array> {
        const memory = Buffer.alloc(4000);
        for (let position = 0; position < blob.bytes.length; position += memory.length) {
          memory.set(blob.bytes.subarray(position, position + memory.length));
          yield memory;
        }
      };
      const { store } = await proxied();
      await store.push(blob.descriptor, reused());
      expect(await store.exists(blob.descriptor)).toBe(true);
    });

    it.each(['reset', 'reset-answer'] as const)(
      'says that a push is worth another one after %s',
      async (kind) => {
        const blob = newBlob(kind);
        const { store } = await proxied(once(/^PUT/, { kind }));
        await expect(store.push(blob.descriptor, streamOf(blob.bytes))).rejects.toMatchObject({
          code: 'NETWORK',
          temporary: true,
        });
        await store.push(blob.descriptor, streamOf(blob.bytes));
        expect(await store.exists(blob.descriptor)).toBe(true);
      },
    );

    it.each([
      [500, 'REGISTRY', true],
      [404, 'REGISTRY', true],
      [413, 'REGISTRY', true], // a new stream is sent in smaller requests
      [405, 'REGISTRY', false],
      [403, 'NOT_ALLOWED', false],
    ])('reports an upload that is answered with %d', async (status, code, temporary) => {
      const blob = newBlob(`answer ${status}`);
      const { proxy, store } = await proxied(once(/^PUT/, { kind: 'answer', status }));
      await expect(store.push(blob.descriptor, streamOf(blob.bytes))).rejects.toMatchObject({
        code,
        temporary,
      });
      expect(proxy.seen(/^PUT/)).toHaveLength(1);
      expect(proxy.seen(/^DELETE/)).toHaveLength(1);
    });

    it('stops reading its source when the registry refuses early', async () => {
      const blob = held(OCI_LAYER_GZIP, seededBytes('early', 40_000_000));
      let closed = false;
      const source = async function* (): ByteStream & AsyncGenerator<Uint8Array> {
        try {
          for (let at = 0; at < blob.bytes.length; at += 100_000)
            yield blob.bytes.subarray(at, at + 100_000);
        } finally {
          closed = true;
        }
      };
      const body = '{"errors":[{"code":"DENIED","message":"quota"}]}';
      const headers = { connection: 'close' };
      const { store } = await proxied(once(/^PUT/, { kind: 'answer', status: 403, body, headers }));
      await expect(store.push(blob.descriptor, source())).rejects.toBeInstanceOf(BundleError);
      expect(closed).toBe(true);
    });

    it('repeats the upload of a manifest', async () => {
      const { proxy, store } = await proxied(once(/^PUT/, { kind: 'answer', status: 502 }, 2));
      await store.push(oci.descriptor, streamOf(oci.bytes));
      expect(proxy.seen(/^PUT/)).toHaveLength(3);
    });

    it('notices a manifest that was stored under another digest', async () => {
      const headers = { 'docker-content-digest': sample.docker.descriptor.digest };
      const { store } = await proxied(once(/^PUT/, { kind: 'headers', headers }));
      await expect(store.push(oci.descriptor, streamOf(oci.bytes))).rejects.toMatchObject({
        code: 'REGISTRY',
        expected: oci.descriptor.digest,
        got: sample.docker.descriptor.digest,
      });
    });

    it('keeps the query of an upload location, relative or not', async () => {
      const blob = newBlob('location');
      const { proxy, store } = await proxied(({ method, url }) => {
        if (method === 'POST')
          return {
            kind: 'answer',
            status: 202,
            headers: { location: `${url}the%2Fsession?_state=a%3D%3D&x=~` },
          };
        return method === 'PUT' ? { kind: 'answer', status: 201 } : undefined;
      });
      await store.push(blob.descriptor, streamOf(blob.bytes));
      const digest = encodeURIComponent(blob.descriptor.digest);
      expect(proxy.seen(/^PUT/)).toEqual([
        `PUT /v2/${REPOSITORY}/blobs/uploads/the%2Fsession?_state=a%3D%3D&x=~&digest=${digest}`,
      ]);
    });

    it('sends no credentials to an upload location elsewhere', async () => {
      const blob = newBlob('elsewhere');
      const elsewhere = await startFaultProxy(registry.url, () => ({
        kind: 'answer',
        status: 201,
      }));
      cleanUp.push(elsewhere.stop);
      const headers = { location: `${elsewhere.url}/upload?id=1` };
      const { store } = await proxied(once(/^POST/, { kind: 'answer', status: 202, headers }), {
        to: locked,
        credentials: known,
      });
      await store.push(blob.descriptor, streamOf(blob.bytes));
      expect(
        elsewhere.requests.map(({ method, headers: sent }) => [method, sent.authorization]),
      ).toEqual([['PUT', undefined]]);
    });
  });

  describe('mounting', () => {
    it('moves no bytes between repositories of one registry', async () => {
      const { proxy, store, client } = await proxied();
      const other = client.repository({ registry: proxy.host, repository: 'other' });
      expect(await other.exists(large.descriptor)).toBe(false);
      expect(await other.mount(large.descriptor, store)).toBe(true);
      expect(await other.exists(large.descriptor)).toBe(true);
      expect(proxy.seen(/^PUT/)).toEqual([]);
    });

    it('is false, and leaves no upload behind, where the blob is not there', async () => {
      const blob = newBlob('not there');
      const { proxy, store, client } = await proxied();
      const other = client.repository({ registry: proxy.host, repository: 'other' });
      expect(await other.mount(blob.descriptor, store)).toBe(false);
      expect(proxy.seen(/^DELETE/)).toHaveLength(1);
    });

    it.each([401, 403, 404, 405])('is false where the registry answers %d', async (status) => {
      const { proxy, store, client } = await proxied(once(/mount=/, { kind: 'answer', status }, 9));
      expect(
        await client
          .repository({ registry: proxy.host, repository: 'other' })
          .mount(small.descriptor, store),
      ).toBe(false);
    });

    it('is false from another registry, another client and itself', async () => {
      const first = await proxied();
      const second = await proxied();
      expect(await first.store.mount(small.descriptor, second.store)).toBe(false);
      expect(await first.store.mount(small.descriptor, first.store)).toBe(false);
      expect(second.proxy.requests).toEqual([]);
    });
  });

  it('takes one signal for many requests without a warning', async () => {
    const warnings: Error[] = [];
    const listener = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listener);
    cleanUp.push(async () => void process.off('warning', listener));
    const { signal } = new AbortController();
    const { store } = await proxied();
    await Promise.all(
      Array.from({ length: 40 }, async () => store.exists(large.descriptor, { signal })),
    );
    expect(warnings).toEqual([]);
  });

  it('can be left alone by an abort', async () => {
    const stop = new AbortController();
    const { store } = await proxied(
      once(/manifests/, { kind: 'answer', status: 503, headers: { 'retry-after': '60' } }, 9),
    );
    const resolving = store.resolve('multi', { signal: stop.signal });
    setImmediate(() => {
      stop.abort();
    });
    await expect(resolving).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('copies within itself with as many transfers as there may be', async () => {
    const registryOfMany = await startRegistry();
    cleanUp.push(registryOfMany.stop);
    const client = new RegistryClient({ credentials: anonymous, ca: [], limits: [2] });
    cleanUp.push(async () => client.close());
    const from = client.repository({ registry: registryOfMany.host, repository: 'from' });
    const to = client.repository({ registry: registryOfMany.host, repository: 'to' });
    const blobs = Array.from({ length: 6 }, (_, index) =>
      held(OCI_LAYER_GZIP, seededBytes(`many ${index}`, 2_000_000)),
    );
    for (const { descriptor, bytes } of blobs) await from.push(descriptor, streamOf(bytes));
    for (let at = 0; at < blobs.length; at += 2) {
      await Promise.all(
        blobs
          .slice(at, at + 2)
          .map(async ({ descriptor }) => to.push(descriptor, from.fetch(descriptor))),
      );
    }
    for (const { descriptor } of blobs) expect(await to.exists(descriptor)).toBe(true);
  });
});
