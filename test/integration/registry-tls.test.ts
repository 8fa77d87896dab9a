import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { createServer } from 'node:https';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { anonymous, Credentials, type CredentialSource } from '../../src/core/credentials.ts';
import { streamOf } from '../../src/core/bytes.ts';
import { systemCertificates } from '../../src/stores/registry/http/certificates.ts';
import { RegistryClient, type RegistryClientOptions } from '../../src/stores/registry/client.ts';
import { isLoopback } from '../../src/stores/registry/host/host.ts';
import type { RegistryRepository } from '../../src/stores/registry/repository.ts';
import { sample } from '../contract/content.ts';
import { fill } from '../contract/store.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { makePrivateCa, type PrivateCa } from '../support/private-ca.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const task of cleanUp.splice(0).reverse()) await task();
});

function open(registry: string, options: Partial<RegistryClientOptions> = {}): RegistryRepository {
  const client = new RegistryClient({ credentials: anonymous, ca: [], backoffMs: 1, ...options });
  cleanUp.push(async () => client.close());
  return client.repository({ registry, repository: 'release/images' });
}

describeWith(
  ['docker-registry', 'openssl'],
  'a registry with a certificate of a private CA',
  () => {
    let ca: PrivateCa;
    let otherName: PrivateCa;
    let registry: TestRegistry;
    beforeAll(async () => {
      ca = await makePrivateCa();
      otherName = await makePrivateCa('DNS:registry.example.com');
      registry = await startRegistry({ tls: ca });
    });
    afterAll(async () => {
      await registry.stop();
      await ca.remove();
      await otherName.remove();
    });

    it('is trusted with the CA named', async () => {
      const store = open(registry.host, { ca: await systemCertificates({}, [ca.caFile]) });
      await fill(store, sample);
      expect(await store.resolve('multi')).toEqual(sample.ociIndex.descriptor);
    });

    it('is refused without it, on loopback too', async () => {
      const store = open(registry.host, { ca: await systemCertificates({}, []) });
      const thrown: unknown = await store.resolve('multi').catch((error: unknown) => error);
      expect(thrown).toMatchObject({ code: 'NETWORK', temporary: false });
      expect((thrown as { hint: string }).hint).toContain('--ca-file');
    });

    it.each([
      ['its host and port', (host: string) => host],
      ['its host', () => '127.0.0.1'],
    ])('is spoken to unverified where %s was named as insecure', async (_, entry) => {
      const store = open(registry.host, { insecure: [entry(registry.host)] });
      await store.push(sample.small.descriptor, streamOf(sample.small.bytes));
      expect(await store.exists(sample.small.descriptor)).toBe(true);
    });

    it('is refused where another host or port was named as insecure', async () => {
      for (const insecure of [['localhost'], ['127.0.0.1:1'], ['127.0.0.2']]) {
        await expect(open(registry.host, { insecure }).resolve('multi')).rejects.toMatchObject({
          code: 'NETWORK',
        });
      }
    });

    it('is refused under a name that the certificate does not have', async () => {
      const other = await startRegistry({ tls: otherName });
      cleanUp.push(other.stop);
      await expect(
        open(other.host, { ca: [otherName.pem] }).resolve('multi'),
      ).rejects.toMatchObject({ code: 'NETWORK' });
    });

    it('keeps its credentials where it names a token server without TLS', async () => {
      const tokens = await startFaultProxy('http://127.0.0.1:1', () => ({
        kind: 'answer',
        status: 200,
        body: '{"token":"x"}',
      }));
      const challenge = { 'www-authenticate': `Bearer realm="${tokens.url}/token"` };
      const server = createServer(
        { cert: await readFile(ca.certificate), key: await readFile(ca.key) },
        (_, answer) => answer.writeHead(401, challenge).end(),
      );
      const host = await listenOnLoopback(server);
      cleanUp.push(tokens.stop, async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      });
      const credentials: CredentialSource = {
        lookup: async () => new Credentials('u', 'p'),
        places: [],
      };
      await expect(
        open(host, { ca: [ca.pem], credentials }).resolve('multi'),
      ).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
      expect(tokens.requests).toEqual([]);
      await expect(open(host, { ca: [ca.pem] }).resolve('multi')).rejects.toMatchObject({
        code: 'NOT_ALLOWED',
      });
      expect(tokens.requests.length).toBeGreaterThan(0);
      expect(tokens.requests.every(({ headers }) => headers.authorization === undefined)).toBe(
        true,
      );
    });

    it('is not left for a place without TLS', async () => {
      const plain = await startFaultProxy(registry.url);
      const server = createServer(
        { cert: await readFile(ca.certificate), key: await readFile(ca.key) },
        ({ url = '' }, answer) =>
          url === '/v2/'
            ? answer.end()
            : answer.writeHead(307, { location: `${plain.url}${url}` }).end(),
      );
      const host = await listenOnLoopback(server);
      cleanUp.push(plain.stop, async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      });
      const thrown: unknown = await open(host, { ca: [ca.pem] })
        .resolve('multi')
        .catch((error: unknown) => error);
      expect(thrown).toMatchObject({ code: 'NETWORK' });
      expect((thrown as { hint: string }).hint).toContain(`--insecure-registry ${plain.host}`);
      expect(plain.requests).toEqual([]);
    });

    it('puts an upload location right that lost its TLS behind a proxy', async () => {
      const put: (string | undefined)[] = [];
      const server = createServer(
        { cert: await readFile(ca.certificate), key: await readFile(ca.key) },
        (request, answer) => {
          const { method, url, headers } = request;
          request.resume().on('end', () => {
            if (method === 'PUT') put.push(url);
            const isGreeting = url === '/v2/';
            const status =
              { GET: isGreeting ? 200 : 404, POST: 202, PUT: 201 }[method ?? ''] ?? 500;
            answer
              .writeHead(status, {
                location: `http://${(headers.host ?? '').replace(/:.*/, '')}/session?_state=1`,
              })
              .end();
          });
        },
      );
      const host = await listenOnLoopback(server);
      cleanUp.push(async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      });
      await open(host, { ca: [ca.pem] }).push(
        sample.small.descriptor,
        streamOf(sample.small.bytes),
      );
      expect(put).toEqual([
        `/session?_state=1&digest=${encodeURIComponent(sample.small.descriptor.digest)}`,
      ]);
    });
  },
);

describeWith(['docker-registry'], 'a registry in plain HTTP', () => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
    await fill(open(registry.host), sample);
  });
  afterAll(async () => registry.stop());

  it.each(['localhost', '127.0.0.1'])('is spoken to as %s', async (name) => {
    const port = registry.host.split(':')[1]!;
    expect(await open(`${name}:${port}`).resolve('multi')).toEqual(sample.ociIndex.descriptor);
  });

  it('is not spoken to at another address than loopback, unless that was named as insecure', async () => {
    const elsewhere = `0.0.0.0:${registry.host.split(':')[1]!}`;
    const thrown: unknown = await open(elsewhere)
      .resolve('multi')
      .catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'NETWORK', temporary: false });
    expect((thrown as { hint: string }).hint).toContain(`--insecure-registry ${elsewhere}`);
    expect(await open(elsewhere, { insecure: [elsewhere] }).resolve('multi')).toEqual(
      sample.ociIndex.descriptor,
    );
  });

  it('is spoken to where it hangs up on TLS', async () => {
    const relay = createTcpServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', (first) => {
        if (first[0] === 0x16) return socket.destroy();
        const upstream = connect(Number(registry.host.split(':')[1]), '127.0.0.1');
        upstream.on('error', () => socket.destroy());
        upstream.write(first);
        return socket.pipe(upstream).pipe(socket);
      });
    });
    const host = await listenOnLoopback(relay);
    cleanUp.push(async () => {
      await new Promise((resolve) => relay.close(resolve));
    });
    expect(await open(host).resolve('multi')).toEqual(sample.ociIndex.descriptor);
  });

  it('is spoken to on IPv6 loopback', async () => {
    const relay = createTcpServer();
    const listening = await new Promise<boolean>((resolve) => {
      relay.on('error', () => {
        resolve(false);
      });
      relay.listen(0, '::1', () => {
        resolve(true);
      });
    });
    if (!listening) return; // no IPv6 here
    relay.on('connection', (socket) => {
      const upstream = connect(Number(registry.host.split(':')[1]), '127.0.0.1');
      socket.pipe(upstream).pipe(socket);
      socket.on('error', () => upstream.destroy());
      upstream.on('error', () => socket.destroy());
    });
    cleanUp.push(async () => {
      await new Promise((resolve) => relay.close(resolve));
    });
    expect(await open(`[::1]:${(relay.address() as AddressInfo).port}`).resolve('multi')).toEqual(
      sample.ociIndex.descriptor,
    );
  });

  it('asks first whether it speaks TLS, once for all', async () => {
    const proxy = await startFaultProxy(registry.url);
    cleanUp.push(proxy.stop);
    const store = open(proxy.host);
    await Promise.all([store.resolve('multi'), store.resolve('list'), store.tags()]);
    expect(proxy.seen(/\/v2\/$/)).toHaveLength(1);
  });
});

it('nothing listening is a network failure', async () => {
  const server = createTcpServer();
  const host = await listenOnLoopback(server);
  await new Promise((resolve) => server.close(resolve));
  await expect(open(host).resolve('multi')).rejects.toMatchObject({
    code: 'NETWORK',
    temporary: false,
  });
});

it.each([
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['[::1]', true],
  ['localhost', true],
  ['10.0.0.1', false],
  ['[2001:db8::1]', false],
  ['no-such-host.invalid', false],
])('isLoopback(%s) is %s', async (host, expected) => {
  expect(await isLoopback(host)).toBe(expected);
});
