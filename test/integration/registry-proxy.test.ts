import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { anonymous } from '../../src/core/credentials.ts';
import { RegistryClient, type RegistryClientOptions } from '../../src/stores/registry/client.ts';
import { proxyFromEnvironment } from '../../src/stores/registry/proxy.ts';
import { sample } from '../contract/content.ts';
import { fill } from '../contract/store.ts';
import { makePrivateCa, type PrivateCa } from '../support/private-ca.ts';
import { describeWithRegistry, startRegistry, type TestRegistry } from '../support/registry.ts';

describeWithRegistry('a registry behind a proxy', () => {
  const NAME = 'registry.example.com';
  let ca: PrivateCa;
  let registry: TestRegistry;
  let asked: { readonly to: string; readonly authorization: string | undefined }[];
  const cleanUp: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    ca = await makePrivateCa(`DNS:${NAME}`);
    registry = await startRegistry({ tls: ca });
  });
  afterEach(async () => {
    for (const task of cleanUp.splice(0).reverse()) await task();
  });
  afterAll(async () => {
    await registry.stop();
    await ca.remove();
  });

  /** A proxy that takes every name for the registry. */
  async function startProxy(status = 200): Promise<string> {
    asked = [];
    const sockets = new Set<Duplex>();
    const server = createServer();
    server.on('connect', ({ url = '', headers }, client: Duplex) => {
      asked.push({ to: url, authorization: headers['proxy-authorization'] });
      const upstream = connect(Number(registry.host.split(':')[1]), '127.0.0.1');
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on('error', () => socket.destroy());
      }
      client.write(`HTTP/1.1 ${status} Answer\r\n\r\n`);
      if (status === 200) client.pipe(upstream).pipe(client);
      else client.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUp.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  function open(options: Partial<RegistryClientOptions>): RegistryClient {
    const client = new RegistryClient({ credentials: anonymous, ca: [ca.pem], backoffMs: 1, ...options });
    cleanUp.push(async () => client.close());
    return client;
  }

  it('is reached through it, with its own certificate', async () => {
    const proxy = proxyFromEnvironment({ HTTPS_PROXY: `http://packer:secret@${await startProxy()}` });
    const store = open({ proxy }).repository({ registry: NAME, repository: 'release/images' });
    await fill(store, sample);
    expect(await store.resolve('multi')).toEqual(sample.ociIndex.descriptor);
    expect(asked[0]).toEqual({ to: `${NAME}:443`, authorization: `Basic ${Buffer.from('packer:secret').toString('base64')}` });
    const distrusting = open({ proxy, ca: [] }).repository({ registry: NAME, repository: 'release/images' });
    await expect(distrusting.resolve('multi')).rejects.toMatchObject({ code: 'NETWORK' });
  });

  it('is reported when the proxy refuses', async () => {
    const proxy = proxyFromEnvironment({ https_proxy: await startProxy(407) });
    const store = open({ proxy }).repository({ registry: NAME, repository: 'release/images' });
    await expect(store.resolve('multi')).rejects.toMatchObject({ code: 'NETWORK', temporary: false });
  });

  it('is reached without it on loopback', async () => {
    const plain = await startRegistry();
    cleanUp.push(plain.stop);
    const proxy = proxyFromEnvironment({ HTTPS_PROXY: await startProxy(), HTTP_PROXY: 'http://127.0.0.1:1' });
    await fill(open({ proxy }).repository({ registry: plain.host, repository: 'release/images' }), sample);
    expect(asked).toEqual([]);
  });
});

describe('proxyFromEnvironment', () => {
  it.each([
    [{}, { http: undefined, https: undefined }],
    [{ HTTPS_PROXY: '', https_proxy: '' }, { https: undefined }],
    [
      { HTTPS_PROXY: 'proxy:3128', http_proxy: 'http://other:1' },
      { https: 'http://proxy:3128', http: 'http://other:1' },
    ],
    [{ HTTPS_PROXY: 'http://upper', https_proxy: 'http://lower' }, { https: 'http://lower' }],
    [{ NO_PROXY: 'example.com' }, { except: 'localhost,127.0.0.1,[::1],example.com' }],
  ])('reads %j', (env, expected) => {
    expect(proxyFromEnvironment(env)).toMatchObject(expected);
  });

  it('is checked before it is used', () => {
    for (const HTTPS_PROXY of ['socks://proxy', 'http://', 'ftp://user:secret@proxy']) {
      const make = (): unknown => new RegistryClient({ credentials: anonymous, ca: [], proxy: proxyFromEnvironment({ HTTPS_PROXY }) });
      expect(make).toThrow(expect.objectContaining({ code: 'CONFIGURATION' }) as Error);
    }
  });
});
