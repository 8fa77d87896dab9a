import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { readAll, streamOf } from '../../src/core/bytes.ts';
import { anonymous, Credentials, type CredentialSource } from '../../src/core/credentials.ts';
import type { BundleError } from '../../src/core/errors.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import type { RegistryRepository } from '../../src/stores/registry/repository.ts';
import { sample } from '../contract/content.ts';
import { fill } from '../contract/store.ts';
import { type Decide, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/needs.ts';
import { errors, startOddRegistry } from '../support/odd-registry.ts';
import { makePrivateCa, type PrivateCa } from '../support/private-ca.ts';
import { startRegistry, type TestRegistry, USER } from '../support/registry.ts';
import {
  IDENTITY_TOKEN,
  startTokenServer,
  type TokenServer,
  type TokenServerOptions,
} from '../support/token-server.ts';

const { small, large } = sample;
const places = ['/run/containers/0/auth.json', '/root/.docker/config.json'];
const holding = (credentials: Credentials | undefined): CredentialSource => ({
  lookup: async () => credentials,
  places,
});
const user = holding(new Credentials(USER.username, USER.password));

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const task of cleanUp.splice(0).reverse()) await task();
});

function open(
  host: string,
  credentials: CredentialSource,
  repository = 'release/images',
): RegistryRepository {
  const client = new RegistryClient({ credentials, ca: [], backoffMs: 1 });
  cleanUp.push(async () => client.close());
  return client.repository({ registry: host, repository });
}

describeWith(['docker-registry'], 'a registry that asks for a password', () => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry({ htpasswd: true });
  });
  afterAll(async () => registry.stop());

  it('lets the right one in, to write and read', async () => {
    const store = open(registry.host, user);
    await fill(store, sample);
    expect(await store.resolve('multi')).toEqual(sample.ociIndex.descriptor);
  });

  it('tells that the password ends with a line feed, and nothing of it', async () => {
    const credentials = new Credentials(USER.username, `${USER.password}\n`);
    const refusal = await open(registry.host, holding(credentials))
      .resolve('multi')
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'NOT_ALLOWED' });
    const { hint } = refusal as BundleError;
    expect(hint).toContain('the password ends with a line feed');
    expect(hint).not.toContain(USER.password);
  });

  it.each([
    ['a wrong one', holding(new Credentials(USER.username, 'wrong horse'))],
    ['none', holding(undefined)],
  ])('refuses %s, and tells where it came from', async (_, credentials) => {
    const store = open(registry.host, credentials);
    for (const attempt of [
      async () => store.resolve('multi'),
      async () => store.exists(small.descriptor),
      async () => readAll(store.fetch(small.descriptor), 1e6, 'blob'),
      async () => store.push(small.descriptor, streamOf(small.bytes)),
      async () => store.push(sample.oci.descriptor, streamOf(sample.oci.bytes)),
      async () => store.tags(),
    ]) {
      const thrown: unknown = await attempt().catch((error: unknown) => error);
      expect(thrown).toMatchObject({ code: 'NOT_ALLOWED', temporary: false });
      for (const fact of [`${places[0]!} and 1 other auth file`, `${registry.host}/release/images`])
        expect((thrown as { hint: string }).hint).toContain(fact);
      expect(JSON.stringify(thrown) + String(thrown)).not.toContain('horse');
    }
  });
});

describe('credentials that expire in the run', () => {
  /** Gives another password each time it is asked after a refusal, up to the last one. */
  function helper(...passwords: readonly string[]): CredentialSource & { asked: number } {
    const given = passwords.map((password) => new Credentials('AWS', password));
    const source = {
      asked: 0,
      places,
      lookup: async (_: unknown, refused?: Credentials) => {
        source.asked += 1;
        const next = refused === undefined ? 0 : given.indexOf(refused) + 1;
        return given[Math.min(next, given.length - 1)];
      },
    };
    return source;
  }
  const basic = (password: string): string =>
    `Basic ${Buffer.from(`AWS:${password}`).toString('base64')}`;

  /** Takes one password from a request on, and answers others with that status. */
  async function expiring(status: 401 | 403, valid: () => string): Promise<string> {
    const registry = await startOddRegistry(({ headers }) =>
      headers.authorization === basic(valid())
        ? undefined
        : {
            status: headers.authorization === undefined ? 401 : status,
            headers: { 'www-authenticate': 'Basic realm="aws",service="ecr.amazonaws.com"' },
            body: errors('DENIED', 'Your authorization token has expired.'),
          },
    );
    cleanUp.push(registry.stop);
    return registry.host;
  }

  it.each([401, 403] as const)('are asked for once more after %i', async (status) => {
    let valid = 'first';
    const host = await expiring(status, () => valid);
    const source = helper('first', 'second');
    const store = open(host, source);
    await store.push(small.descriptor, streamOf(small.bytes), { isAbsent: true });
    valid = 'second';
    expect(await Promise.all([1, 2, 3].map(async () => store.exists(small.descriptor)))).toEqual([
      true,
      true,
      true,
    ]);
    expect(source.asked).toBe(2);
  });

  it.each([401, 403] as const)('in the middle of an upload too (%i)', async (status) => {
    const passwords = ['first', 'second'];
    let puts = 0;
    const host = await expiring(status, () => passwords[puts > 0 ? 1 : 0]!);
    const source = helper('first', 'second');
    const proxy = await startFaultProxy(`http://${host}`, ({ method }) => {
      if (method === 'PUT') puts += 1;
      return undefined;
    });
    cleanUp.push(proxy.stop);
    const store = open(proxy.host, source);
    const again = (start: number) => streamOf(small.bytes.subarray(start));
    await store.push(small.descriptor, again(0), { isAbsent: true, again });
    expect(await store.exists(small.descriptor)).toBe(true);
  });

  it('are asked for no third time where the same come again', async () => {
    const host = await expiring(403, () => 'nobody knows');
    const source = helper('only');
    const store = open(host, source);
    for (let count = 0; count < 3; count++)
      await expect(store.resolve('multi')).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
    expect(source.asked).toBe(2);
  });
});

describeWith(['docker-registry', 'openssl'], 'a registry that asks for tokens', () => {
  let ca: PrivateCa;
  let tokens: TokenServer;
  let registry: TestRegistry;
  const start = async (options?: TokenServerOptions): Promise<void> => {
    tokens = await startTokenServer(ca, options);
    const { realm, service, issuer } = tokens;
    registry = await startRegistry({
      token: { realm, service, issuer, certificate: ca.certificate },
    });
    cleanUp.push(tokens.stop, registry.stop);
  };
  beforeAll(async () => {
    ca = await makePrivateCa();
  });
  afterAll(async () => ca.remove());

  it('gets one for reading and one for writing, and no more', async () => {
    await start();
    const store = open(registry.host, user);
    await fill(store, sample);
    await Promise.all([store.resolve('multi'), store.exists(large.descriptor), store.tags()]);
    expect(tokens.requests.map(({ parameters }) => parameters.getAll('scope')).sort()).toEqual([
      ['repository:release/images:pull'],
      ['repository:release/images:pull,push'],
    ]);
    const [first] = tokens.requests;
    expect(Object.fromEntries(first!.parameters)).toMatchObject({
      kept: 'yes',
      service: tokens.service,
      account: USER.username,
    });
  });

  it('shares one request for a token among all who need it', async () => {
    await start();
    const store = open(registry.host, user);
    await Promise.all(sample.blobs.map(async ({ descriptor }) => store.exists(descriptor)));
    expect(tokens.requests).toHaveLength(1);
  });

  it('sends an identity token to nobody but the token server', async () => {
    await start();
    const proxy = await startFaultProxy(registry.url);
    cleanUp.push(proxy.stop);
    const store = open(
      proxy.host,
      holding(new Credentials('00000000-0000-0000-0000-000000000000', '', IDENTITY_TOKEN)),
    );
    await store.push(small.descriptor, streamOf(small.bytes));
    expect(
      tokens.requests.map(({ method, parameters }) => [method, parameters.get('grant_type')]),
    ).toContainEqual(['POST', 'refresh_token']);
    expect(
      proxy.requests.every(({ headers }) => headers.authorization?.startsWith('Bearer ') ?? true),
    ).toBe(true);
    expect(JSON.stringify(proxy.requests)).not.toContain(IDENTITY_TOKEN);
  });

  it.each([401, 404, 405])(
    'gives it as a password to a server that answers a POST with %s',
    async (refusePost) => {
      await start({ refusePost });
      await open(registry.host, holding(new Credentials(USER.username, '', IDENTITY_TOKEN))).push(
        small.descriptor,
        streamOf(small.bytes),
      );
      expect(tokens.requests.map(({ method }) => method)).toEqual(['POST', 'GET', 'POST', 'GET']);
      const nameless = open(registry.host, holding(new Credentials('', '', IDENTITY_TOKEN)));
      await expect(nameless.exists(small.descriptor)).rejects.toMatchObject({
        code: refusePost === 401 ? 'NOT_ALLOWED' : (expect.anything() as string),
      });
      expect(tokens.requests.at(-1)?.method).toBe('POST');
    },
  );

  it('takes a token for writing to read with', async () => {
    await start();
    const store = open(registry.host, user);
    await fill(store, sample);
    const before = tokens.requests.length;
    const other = open(registry.host, user);
    await other.push(sample.oci.descriptor, streamOf(sample.oci.bytes));
    await Promise.all([other.exists(small.descriptor), other.tags()]);
    expect(tokens.requests.length - before).toBe(1);
  });

  it('gets another token in the course of four fifths of its life', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    cleanUp.push(async () => void vi.useRealTimers());
    await start({ life: () => 60 });
    const store = open(registry.host, user);
    for (const [seconds, requests] of [
      [0, 1],
      [47, 1],
      [2, 2],
      [47, 2],
      [2, 3],
    ] as const) {
      vi.advanceTimersByTime(seconds * 1000);
      await Promise.all([store.tags(), store.tags()]);
      expect(tokens.requests).toHaveLength(requests);
    }
  });

  it('gets another token when the registry no longer takes one that should last', async () => {
    await start({ validFor: -58 }); // for one or two seconds
    const store = open(registry.host, user);
    await fill(store, sample);
    while (tokens.requests.length < 3) expect(await store.resolve('multi')).toBeDefined();
  });

  it('goes in without credentials where that is enough, and says what is missing where it is not', async () => {
    await start();
    await fill(open(registry.host, user, 'public/images'), sample);
    const store = open(registry.host, anonymous, 'public/images');
    expect(await store.resolve('multi')).toEqual(sample.ociIndex.descriptor);
    await expect(store.push(small.descriptor, streamOf(small.bytes))).resolves.toBeUndefined();
    const other = open(registry.host, anonymous, 'private/images');
    await expect(other.resolve('multi')).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
    expect(
      tokens.requests.filter(({ authorization }) => authorization === undefined).length,
    ).toBeGreaterThan(0);
  });

  it('is refused by the token server with wrong credentials', async () => {
    await start();
    const store = open(registry.host, holding(new Credentials('packer', 'wrong horse')));
    const thrown: unknown = await store.resolve('multi').catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'NOT_ALLOWED' });
    expect(String(thrown)).not.toContain('horse');
    expect(tokens.requests).toHaveLength(1);
  });

  it('mounts with a token for both repositories', async () => {
    await start();
    const client = new RegistryClient({ credentials: user, ca: [] });
    cleanUp.push(async () => client.close());
    const from = client.repository({ registry: registry.host, repository: 'from' });
    const to = client.repository({ registry: registry.host, repository: 'to' });
    await from.push(large.descriptor, streamOf(large.bytes));
    expect(await to.mount(large.descriptor, from)).toBe(true);
    expect(tokens.requests.at(-1)?.parameters.getAll('scope')).toEqual([
      'repository:to:pull,push',
      'repository:from:pull',
    ]);
  });

  it('gets another token when one is refused, once', async () => {
    await start();
    await fill(open(registry.host, user), sample);
    const refuse: Decide = ({ url }) =>
      url.includes('manifests') && refusals-- > 0
        ? {
            kind: 'answer',
            status: 401,
            headers: {
              'www-authenticate': `Bearer realm="${tokens.realm}",service="${tokens.service}"`,
            },
          }
        : undefined;
    let refusals = 1;
    const proxy: FaultProxy = await startFaultProxy(registry.url, refuse);
    cleanUp.push(proxy.stop);
    const before = tokens.requests.length;
    const store = open(proxy.host, user);
    expect(await store.resolve('multi')).toEqual(sample.ociIndex.descriptor);
    expect(tokens.requests.length - before).toBe(2);
    refusals = 99;
    await expect(store.resolve('multi')).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
    expect(proxy.seen(/manifests/)).toHaveLength(4);
  });

  it.each([
    ['is no JSON', 'token: x'],
    ['holds no token', '{"token": 7}'],
    ['holds what no header can', '{"token": "a\\r\\nb"}'],
    ['has no end', `{"token": "${'x'.repeat(2 * 1024 * 1024)}"}`],
  ])('takes no token answer that %s', async (_, body) => {
    const server = await startFaultProxy('http://127.0.0.1:1', ({ url }) =>
      url.startsWith('/token')
        ? { kind: 'answer', status: 200, body }
        : {
            kind: 'answer',
            status: 401,
            headers: { 'www-authenticate': `Bearer realm="${server.url}/token"` },
          },
    );
    cleanUp.push(server.stop);
    const thrown: unknown = await open(server.host, user)
      .resolve('multi')
      .catch((error: unknown) => error);
    const { code, hint } = thrown as BundleError;
    expect(['REGISTRY', 'CONTENT_MISMATCH']).toContain(code);
    if (code === 'REGISTRY') expect(hint).toContain('is the token server of the registry');
  });

  it.each([
    '',
    'Bearer',
    'Bearer realm="file:///etc/passwd"',
    'Bearer realm="/token"',
    'Digest realm="x"',
  ])('fails on the challenge %j', async (challenge) => {
    const headers = { 'www-authenticate': challenge };
    const server = await startFaultProxy('http://127.0.0.1:1', () => ({
      kind: 'answer',
      status: 401,
      headers,
    }));
    cleanUp.push(server.stop);
    const thrown: unknown = await open(server.host, user)
      .resolve('multi')
      .catch((error: unknown) => error);
    expect(['REGISTRY', 'NOT_ALLOWED']).toContain((thrown as { code: string }).code);
    expect(JSON.stringify(server.requests.map(({ headers: sent }) => sent))).not.toContain(
      'authorization',
    );
  });
});

describe('credentials for a repository', () => {
  it('are asked for with its name', async () => {
    const asked: string[] = [];
    const source: CredentialSource = {
      lookup: async ({ registry, repository }) => void asked.push(`${registry}/${repository}`),
      places,
    };
    const server = await startFaultProxy('http://127.0.0.1:1', () => ({
      kind: 'answer',
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="x"' },
    }));
    cleanUp.push(server.stop);
    await expect(open(server.host, source, 'a/b/c').resolve('x')).rejects.toMatchObject({
      code: 'NOT_ALLOWED',
    });
    expect(asked).toEqual([`${server.host}/a/b/c`]);
  });
});
