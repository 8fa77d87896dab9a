import { afterEach, describe, expect, it } from 'vitest';
import { Credentials } from '../../src/core/credentials.ts';
import type { BundleError } from '../../src/core/errors.ts';
import type { TransferEvent } from '../../src/core/events.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import { type Decide, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';

const PASSWORD = 'S3cret/"Pass+word';
const PAIR = Buffer.from(`user:${PASSWORD}`).toString('base64');

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const task of cleanUp.splice(0).reverse()) await task();
});

async function start(decide: Decide): Promise<FaultProxy> {
  const server = await startFaultProxy('http://127.0.0.1:1', decide);
  cleanUp.push(server.stop);
  return server;
}

/** What comes of a first request, and all that was said meanwhile. */
async function failure(
  host: string,
  credentials = new Credentials('user', PASSWORD),
): Promise<{ error: BundleError; said: string }> {
  const events: TransferEvent[] = [];
  const client = new RegistryClient({
    credentials: { lookup: async () => credentials, places: [] },
    ca: [],
    backoffMs: 1,
    attempts: 2,
    observe: (event) => events.push(event),
  });
  cleanUp.push(async () => client.close());
  const error = await client
    .repository({ registry: host, repository: 'release/images' })
    .resolve('multi')
    .then(
      () => expect.unreachable(),
      (thrown: unknown) => thrown as BundleError,
    );
  const { message, hint, got, expected, details } = error;
  return { error, said: JSON.stringify([message, hint, got, expected, details, events]) };
}

function challenge(realm: string): ReturnType<Decide> {
  return {
    kind: 'answer',
    status: 401,
    headers: { 'www-authenticate': `Bearer realm="${realm}",service="x"` },
  };
}

describe('a token server that redirects', () => {
  it.each([301, 302, 303, 307, 308])(
    'with %i to another port gets no password there',
    async (status) => {
      const other = await start(() => ({ kind: 'answer', status: 200, body: '{"token":"abc"}' }));
      const server = await start(({ url }) =>
        url.startsWith('/token')
          ? { kind: 'answer', status, headers: { location: `${other.url}/token` } }
          : challenge(`${server.url}/token`),
      );
      const { error } = await failure(server.host);
      expect(error).toMatchObject({ code: 'REGISTRY', exitStatus: 25 });
      expect(error.message).toContain(`${status}, a redirect to ${other.url}/token`);
      expect(other.requests).toHaveLength(0);
    },
  );

  it('within its port gets it', async () => {
    const server: FaultProxy = await start(({ url }) => {
      if (url.startsWith('/token'))
        return { kind: 'answer', status: 307, headers: { location: '/other' } };
      return url.startsWith('/other')
        ? { kind: 'answer', status: 200, body: '{"token":"abcdefgh"}' }
        : challenge(`${server.url}/token`);
    });
    await failure(server.host);
    expect(server.requests.find(({ url }) => url === '/other')?.headers.authorization).toBe(
      `Basic ${PAIR}`,
    );
  });
});

describe('a server that repeats what it was sent', () => {
  const echo = (status: number, text: string): ReturnType<Decide> => ({
    kind: 'answer',
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      errors: [{ code: 'DENIED', message: `you sent ${text}`, detail: { sent: text } }],
    }),
  });
  const forms = [
    `Basic ${PAIR}`,
    `user:${PASSWORD}`,
    PASSWORD,
    encodeURIComponent(PASSWORD),
    new URLSearchParams({ p: PASSWORD }).toString(),
    PAIR.replace(/=+$/, ''),
  ];
  const secrets = [PAIR.replace(/=+$/, ''), 'S3cret'];

  it.each([403, 500])('shows no password, as a registry with %i', async (status) => {
    for (const form of forms) {
      const server = await start(({ headers }) =>
        headers.authorization === undefined
          ? { kind: 'answer', status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } }
          : echo(status, form),
      );
      const { error, said } = await failure(server.host);
      expect(error.message).toContain('[redacted]');
      for (const secret of secrets) expect(said).not.toContain(secret);
    }
  });

  it('shows no password, as a token server', async () => {
    for (const form of forms) {
      const server: FaultProxy = await start(({ url }) =>
        url.startsWith('/token') ? echo(401, form) : challenge(`${server.url}/token`),
      );
      const { error, said } = await failure(server.host);
      expect(error.message).toContain('[redacted]');
      for (const secret of secrets) expect(said).not.toContain(secret);
    }
  });

  it('shows no token of either kind', async () => {
    const identity = 'Refresh-Token-1234';
    const refused = await start(({ url }) =>
      url.startsWith('/token') ? echo(403, identity) : challenge(`${refused.url}/token`),
    );
    const first = await failure(refused.host, new Credentials('', '', identity));
    expect(first.error.message).toContain('[redacted]');
    expect(first.said).not.toContain(identity);
    const bearer = 'eyJhbGciOi.Jub25lIn0.x';
    const server = await start(({ url, headers }) => {
      if (url.startsWith('/token'))
        return { kind: 'answer', status: 200, body: JSON.stringify({ token: bearer }) };
      return headers.authorization === undefined
        ? challenge(`${server.url}/token`)
        : echo(503, `Bearer ${bearer}`);
    });
    const second = await failure(server.host);
    expect(second.said).toContain('[redacted]');
    expect(second.said).not.toContain('eyJhbGciOi');
  });

  it('shows none in the address that it redirects to', async () => {
    const server = await start(({ headers }) =>
      headers.authorization === undefined
        ? { kind: 'answer', status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } }
        : {
            kind: 'answer',
            status: 302,
            headers: { location: `ftp://nowhere/${encodeURIComponent(PASSWORD)}/${PAIR}` },
          },
    );
    const { said } = await failure(server.host);
    for (const secret of secrets) expect(said).not.toContain(secret);
  });
});
