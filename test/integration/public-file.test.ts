import { createServer, type RequestListener } from 'node:http';

import { afterEach, describe, expect, it } from 'vitest';

import { Credentials } from '../../src/core/credentials.ts';
import { fetchPublicFile, type FileLogin } from '../../src/stores/registry/http/public-file.ts';
import { Transport } from '../../src/stores/registry/http/transport.ts';
import { serve } from '../support/served.ts';

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const task of cleanUp.splice(0).reverse()) await task();
});

async function served(listener: RequestListener): Promise<string> {
  const { host, stop } = await serve(createServer(listener));
  cleanUp.push(stop);
  return host;
}

function transport(wholeMs?: number, insecure: readonly string[] = []): Transport {
  const http = new Transport({ ca: [], backoffMs: 1, attempts: 2, wholeMs, insecure });
  cleanUp.push(async () => http.close());
  return http;
}

describe('a public file', () => {
  it('is asked for with the credentials of its URL, which no other server is told', async () => {
    const told: (string | undefined)[] = [];
    const other = await served(({ headers }, response) => {
      told.push(headers.authorization);
      response.end('here');
    });
    const host = await served(({ url, headers }, response) => {
      told.push(headers.authorization);
      const next = url === '/a' ? '/b' : `http://${other}/c`;
      response.writeHead(302, { location: next }).end();
    });
    const url = new URL(`http://us%40er:pass%3Aword@${host}/a`);
    const bytes = await fetchPublicFile(transport(), url, { limit: 100 });
    expect(Buffer.from(bytes!).toString()).toBe('here');
    const basic = `Basic ${Buffer.from('us@er:pass:word').toString('base64')}`;
    expect(told).toEqual([basic, basic, undefined]);
  });

  it('is shown a login where that is asked for, or at once, and no other server is', async () => {
    const told: (string | undefined)[] = [];
    const other = await served(({ headers }, response) => {
      told.push(headers.authorization);
      response.writeHead(headers.authorization === undefined ? 401 : 200).end('here');
    });
    const host = await served(({ url, headers }, response) => {
      told.push(headers.authorization);
      const isKnown = headers.authorization === basic;
      if (!isKnown) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (url === '/away') response.writeHead(302, { location: `http://${other}/c` }).end();
      else response.end('here');
    });
    const basic = `Basic ${Buffer.from('user:se:cret').toString('base64')}`;
    const credentials = new Credentials('user', 'se:cret');
    const fetched = (
      path: string,
      login: Omit<FileLogin, 'hint'>,
      insecure = [host],
    ): Promise<Uint8Array | undefined> =>
      fetchPublicFile(transport(undefined, insecure), new URL(`http://${host}${path}`), {
        ...{ limit: 100, login: { ...login, hint: 'Name a file.' } },
      });
    const none = async (): Promise<undefined> => undefined;
    const asked = { lookup: async () => credentials };
    const known = { known: credentials, lookup: none };
    expect(await fetched('/a', asked)).toEqual(Buffer.from('here'));
    expect(await fetched('/a', known)).toEqual(Buffer.from('here'));
    expect(told.splice(0)).toEqual([undefined, basic, basic]);
    const away = { code: 'NOT_ALLOWED', hint: 'Name a file.' };
    await expect(fetched('/away', known)).rejects.toMatchObject(away);
    expect(told.splice(0)).toEqual([basic, undefined]);
    await expect(fetched('/a', { lookup: none })).rejects.toThrow('wants a user and a password');
    const wrong = { lookup: async () => new Credentials('user', 'other') };
    const refusal = await fetched('/a', wrong).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'NOT_ALLOWED' });
    expect((refusal as Error).message).toContain('refused the user and password (401)');
    told.splice(0);
    // Nobody has said that others on the way may read it.
    await expect(fetched('/a', known, [])).rejects.toMatchObject({ code: 'CONFIGURATION' });
    expect(told).toEqual([]);
  });

  it('has no secret of its URL in a message', async () => {
    const host = await served((_, response) => {
      response.writeHead(302, { location: 'ftp://u:SECRET@x/y?sig=SECRET' }).end();
    });
    const url = new URL(`http://user:SECRET@${host}/a?sig=SECRET`);
    await expect(fetchPublicFile(transport(), url, { limit: 100 })).rejects.toThrow(
      `cannot fetch http://${host}/a: it redirects to ftp://x/y`,
    );
  });

  it('that is not there is not waited for, where that is said drop by drop', async () => {
    const host = await served((_, response) => {
      response.writeHead(404);
      const drops = setInterval(() => response.write(' '), 10);
      response.on('close', () => {
        clearInterval(drops);
      });
    });
    const url = new URL(`http://${host}/a`);
    expect(await fetchPublicFile(transport(), url, { limit: 100 })).toBeUndefined();
  });

  it('is not waited for without end where it comes drop by drop', async () => {
    let closed = 0;
    const host = await served((_, response) => {
      response.writeHead(200);
      const drops = setInterval(() => response.write(' '), 10);
      response.on('close', () => {
        clearInterval(drops);
        closed += 1;
      });
    });
    const url = new URL(`http://${host}/a`);
    await expect(fetchPublicFile(transport(100), url, { limit: 1_000_000 })).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('its answer was not whole after') as string,
    });
    await expect.poll(() => closed).toBe(2);
  });
});
