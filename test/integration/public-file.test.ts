import { createServer, type RequestListener } from 'node:http';

import { afterEach, describe, expect, it } from 'vitest';

import { fetchPublicFile } from '../../src/stores/registry/http/public-file.ts';
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

function transport(wholeMs?: number): Transport {
  const http = new Transport({ ca: [], backoffMs: 1, attempts: 2, wholeMs });
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
