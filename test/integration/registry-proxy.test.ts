import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listenOnLoopback } from '../../scripts/lib/loopback.ts';
import { anonymous } from '../../src/core/credentials.ts';
import type { BundleError } from '../../src/core/errors.ts';
import type { ReadOnlyStore } from '../../src/core/store.ts';
import { RegistryClient, type RegistryClientOptions } from '../../src/stores/registry/client.ts';
import { fetchPublicFile } from '../../src/stores/registry/http/public-file.ts';
import { proxyFor, proxyFromEnvironment } from '../../src/stores/registry/http/proxy.ts';
import { Transport } from '../../src/stores/registry/http/transport.ts';
import { sample } from '../contract/content.ts';
import { fill } from '../contract/store.ts';
import { describeWith } from '../support/needs.ts';
import { makePrivateCa, type PrivateCa } from '../support/private-ca.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

describeWith(['docker-registry', 'openssl'], 'a registry behind a proxy', () => {
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
  async function startProxy(status = 200, tls?: ServerOptions): Promise<string> {
    asked = [];
    const sockets = new Set<Duplex>();
    const server = tls ? createTlsServer(tls) : createServer();
    server.on(
      'request',
      ({ method, url = '', headers }: IncomingMessage, answer: ServerResponse) => {
        asked.push({ to: url, authorization: headers['proxy-authorization'] });
        answer
          .writeHead(status === 200 ? (method === 'GET' ? 200 : 404) : status)
          .end('{"tags":["one"]}');
      },
    );
    server.on('connect', ({ url = '', headers }: IncomingMessage, client: Duplex) => {
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
    const host = await listenOnLoopback(server);
    cleanUp.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return host;
  }

  function open(options: Partial<RegistryClientOptions>): RegistryClient {
    const client = new RegistryClient({
      credentials: anonymous,
      ca: [ca.pem],
      backoffMs: 1,
      ...options,
    });
    cleanUp.push(async () => client.close());
    return client;
  }

  it('is reached through it, with its own certificate', async () => {
    const proxy = proxyFromEnvironment({
      HTTPS_PROXY: `http://packer:secret@${await startProxy()}`,
    });
    const store = open({ proxy }).repository({ registry: NAME, repository: 'release/images' });
    await fill(store, sample);
    expect(await store.resolve('multi')).toEqual(sample.ociIndex.descriptor);
    expect(asked[0]).toEqual({
      to: `${NAME}:443`,
      authorization: `Basic ${Buffer.from('packer:secret').toString('base64')}`,
    });
    const distrusting = open({ proxy, ca: [] }).repository({
      registry: NAME,
      repository: 'release/images',
    });
    const thrown: unknown = await distrusting.resolve('multi').catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'NETWORK' });
    expect((thrown as BundleError).hint).toMatch(
      /The way leads through the proxy 127\.0\.0\.1:[0-9]+ \(HTTPS_PROXY\)\. If .* NO_PROXY\.$/,
    );
  });

  it('is reported when the proxy refuses', async () => {
    const proxy = proxyFromEnvironment({ https_proxy: await startProxy(407) });
    const store = open({ proxy }).repository({ registry: NAME, repository: 'release/images' });
    const thrown: unknown = await store.resolve('multi').catch((error: unknown) => error);
    expect(thrown).toMatchObject({
      code: 'NETWORK',
      temporary: false,
      message: `the proxy ${proxy.https!.slice('http://'.length)} refused the connection to ${NAME}: it answered 407`,
    });
    expect((thrown as BundleError).hint).toBe(
      'It wants a user name and a password: write both before its host in https_proxy, with a ' +
        'colon between them and an @ behind them. ' +
        `If ${NAME} can be reached without the proxy, name it in NO_PROXY.`,
    );
  });

  it('is reached through a proxy with TLS, whose certificate is verified too', async () => {
    const proxyCa = await makePrivateCa();
    cleanUp.push(proxyCa.remove);
    const tls = { cert: await readFile(proxyCa.certificate), key: await readFile(proxyCa.key) };
    const host = await startProxy(200, tls);
    const proxy = proxyFromEnvironment({ https_proxy: `https://packer:secret@${host}` });
    const store = (options: Partial<RegistryClientOptions>): ReadOnlyStore =>
      open({ proxy, ...options }).repository({ registry: NAME, repository: 'release/images' });
    await expect(store({ ca: [ca.pem, proxyCa.pem] }).resolve('absent')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(asked.map(({ to }) => to)).toContain(`${NAME}:443`);
    for (const insecure of [[], [NAME]]) {
      const thrown: unknown = await store({ insecure })
        .resolve('absent')
        .catch((error: unknown) => error);
      expect(thrown).toMatchObject({ code: 'NETWORK', temporary: false });
      expect((thrown as Error).message).toContain(host);
      expect((thrown as Error).message).not.toContain(NAME);
      expect(inspect(thrown, { depth: 9, showHidden: true })).not.toContain('secret');
    }
  });

  it('is asked for what is not protected by TLS, without a tunnel', async () => {
    const proxy = proxyFromEnvironment({
      http_proxy: `http://packer:secret@${await startProxy()}`,
    });
    const transport = new Transport({ ca: [], proxy });
    cleanUp.push(async () => transport.close());
    const file = await fetchPublicFile(
      transport,
      new URL('http://signatures.example.com/sha256=00/signature-1'),
      { limit: 100 },
    );
    expect(Buffer.from(file!).toString()).toBe('{"tags":["one"]}');
    const authorization = `Basic ${Buffer.from('packer:secret').toString('base64')}`;
    expect(asked).toEqual([
      { to: 'http://signatures.example.com/sha256=00/signature-1', authorization },
    ]);
  });

  it('is reported when the proxy cannot be reached', async () => {
    const store = open({ proxy: proxyFromEnvironment({ https_proxy: '127.0.0.1:1' }) }).repository({
      registry: NAME,
      repository: 'r',
    });
    const thrown: unknown = await store.tags().catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'NETWORK', temporary: false });
    expect((thrown as Error).message).toContain('127.0.0.1:1');
    expect((thrown as BundleError).hint).toMatch(
      /^Check https_proxy\. If .* name it in NO_PROXY\.$/,
    );
  });

  it('is reached without it on loopback', async () => {
    const plain = await startRegistry();
    cleanUp.push(plain.stop);
    const proxy = proxyFromEnvironment({
      HTTPS_PROXY: await startProxy(),
      HTTP_PROXY: 'http://127.0.0.1:1',
    });
    await fill(
      open({ proxy }).repository({ registry: plain.host, repository: 'release/images' }),
      sample,
    );
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
    [{ NO_PROXY: 'example.com' }, { except: 'example.com' }],
  ])('reads %j', (env, expected) => {
    expect(proxyFromEnvironment(env)).toMatchObject(expected);
  });

  it.each([
    ['http://miner:zyx%wvu@proxy:3128', ['%25 for the percent sign']],
    ['http://miner:zyxwvu%E4@proxy:3128', ['%25 for the percent sign']],
    ['CORP\\miner:zyxwvu@proxy:3128', ['%5C for the backslash']],
    ['https://miner:zyx#wvu@proxy:3128', ['%23 for the number sign']],
    ['http://miner:zyx/wvu@proxy:3128', ['%2F for the slash']],
    ['http://miner:zyx?wvu@proxy:3128', ['%3F for the question mark']],
    ['http://miner:zyx wvu@proxy:3128', ['%20 for the space']],
    ['http://CORP\\miner:100%zyxwvu@proxy', ['%5C for the backslash', '%25 for the percent sign']],
  ])('says of %s how to write it, and nothing of it', (value, forms) => {
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy']) {
      let thrown: unknown;
      try {
        proxyFromEnvironment({ [name]: value });
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: 'CONFIGURATION', exitStatus: 2, subject: name });
      const { message, hint } = thrown as BundleError;
      expect(message).toContain(name);
      for (const form of forms) expect(hint).toContain(form);
      const shown = inspect(thrown, { depth: 9, showHidden: true });
      for (const secret of ['zyx', 'wvu', 'miner', 'CORP']) expect(shown).not.toContain(secret);
    }
  });

  it.each([
    'http://CORP%5Cpacker:h%25u%23n%2Ft%3Fe%20r@proxy:3128',
    'http://packer:h@unter@proxy:3128',
    'http://packer:hunt:er!@proxy:3128/',
    'http://p%C3%A4cker:hünter@proxy:3128',
    'http://proxy:3128/',
  ])('takes %s', (value) => {
    expect(proxyFromEnvironment({ https_proxy: ` ${value}\n` }).https).toBe(value);
  });

  it.each(['socks://proxy', 'http://', 'ftp://user:secret@proxy'])(
    'refuses %s without quoting it',
    (HTTPS_PROXY) => {
      let thrown: unknown;
      try {
        proxyFromEnvironment({ HTTPS_PROXY });
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: 'CONFIGURATION' });
      expect(String(thrown)).not.toContain('secret');
    },
  );
});

describe('proxyFor', () => {
  const HTTPS = 'http://proxy:3128';

  it.each([
    ['', 'https://quay.io/v2/', true],
    ['*', 'https://quay.io/v2/', false],
    ['quay.io', 'https://quay.io/v2/', false],
    ['QUAY.io', 'https://Quay.io/v2/', false],
    ['quay.io', 'https://cdn.quay.io/v2/', false],
    ['quay.io', 'https://notquay.io/v2/', true],
    ['.quay.io', 'https://quay.io/v2/', true],
    ['.quay.io', 'https://cdn01.quay.io/v2/', false],
    ['*.quay.io', 'https://quay.io/v2/', true],
    ['*.quay.io', 'https://cdn01.quay.io/v2/', false],
    ['quay.io:443', 'https://quay.io/v2/', false],
    ['quay.io:8443', 'https://quay.io/v2/', true],
    ['quay.io:8443', 'https://quay.io:8443/v2/', false],
    ['a.example, ,quay.io ,b.example', 'https://quay.io/v2/', false],
    ['10.0.0.0/8', 'https://10.1.2.3:5000/v2/', false],
    ['10.0.0.0/8', 'https://11.1.2.3:5000/v2/', true],
    ['10.0.0.0/8', 'https://10.example.com/v2/', true],
    ['10.0.0.0/99', 'https://10.1.2.3/v2/', true],
    ['10.1.2.3', 'https://10.1.2.3:5000/v2/', false],
    ['10.1.2.3:5000', 'https://10.1.2.3:5000/v2/', false],
    ['10.1.2.3:5001', 'https://10.1.2.3:5000/v2/', true],
    ['2001:db8::/32', 'https://[2001:db8::7]:5000/v2/', false],
    ['2001:db8::7', 'https://[2001:db8::7]:5000/v2/', false],
    ['[2001:db8::7]:5000', 'https://[2001:db8::7]:5000/v2/', false],
    ['[2001:db8::7]:5001', 'https://[2001:db8::7]:5000/v2/', true],
    ['', 'https://localhost:5000/v2/', false],
    ['', 'https://127.0.0.9:5000/v2/', false],
    ['', 'https://[::1]:5000/v2/', false],
    ['', 'http://quay.io/v2/', false],
  ])('with NO_PROXY=%s, %s: %s', (except, url, proxied) => {
    const settings = proxyFromEnvironment({ HTTPS_PROXY: HTTPS, NO_PROXY: except });
    expect(proxyFor(new URL(url), settings)).toBe(proxied ? HTTPS : undefined);
  });
});
