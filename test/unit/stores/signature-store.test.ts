import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenOnLoopback } from '../../../scripts/lib/loopback.ts';
import { digestOf, hexOf } from '../../../src/core/digest.ts';
import { MAX_SIGNATURE_BYTES } from '../../../src/core/limits.ts';
import { fetchSignatures } from '../../../src/stores/signature-store.ts';

const digest = digestOf('a release');
const folder = `sha256=${hexOf(digest)}`;
const texts = (signatures: readonly Uint8Array[]): string[] =>
  signatures.map((bytes) => Buffer.from(bytes).toString());
const options = { ca: [], backoffMs: 1 };

let root: string;
const cleanUp: (() => Promise<void>)[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'bundle-signatures-'));
});
afterEach(async () => {
  for (const task of cleanUp.splice(0)) await task();
  await rm(root, { recursive: true });
});

async function fileStore(
  name: string,
  signatures: readonly (string | Uint8Array)[],
): Promise<string> {
  await mkdir(join(root, name, folder), { recursive: true });
  for (const [index, bytes] of signatures.entries())
    await writeFile(join(root, name, folder, `signature-${index + 1}`), bytes);
  return pathToFileURL(join(root, name)).href;
}

async function httpStore(
  answer: (
    path: string,
    nth: number,
  ) => [status: number, body?: string | Uint8Array, location?: string],
) {
  const asked: string[] = [];
  const server = createServer(({ url = '', headers }, response) => {
    asked.push(url);
    expect(headers.authorization).toBeUndefined();
    const [status, body, location] = answer(url, asked.filter((other) => other === url).length);
    response.writeHead(status, location === undefined ? {} : { location }).end(body);
  });
  const host = await listenOnLoopback(server);
  cleanUp.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://${host}/signatures/`, asked };
}

describe('fetchSignatures', () => {
  it('reads on until one is missing', async () => {
    const store = await fileStore('store', ['one', 'two', 'three']);
    await writeFile(join(root, 'store', folder, 'signature-5'), 'five');
    const { signatures, failures } = await fetchSignatures([store], digest, options);
    expect(texts(signatures)).toEqual(['one', 'two', 'three']);
    expect(failures).toEqual([]);
  });

  it('gives each different one once, of several stores', async () => {
    const http = await httpStore((path) => (path.endsWith('signature-1') ? [200, 'two'] : [404]));
    const stores = [
      await fileStore('a', ['one', 'two']),
      http.url,
      await fileStore('b', ['three', 'one']),
    ];
    expect(texts((await fetchSignatures(stores, digest, options)).signatures)).toEqual([
      'one',
      'two',
      'three',
    ]);
    expect(http.asked).toEqual([
      `/signatures/${folder}/signature-1`,
      `/signatures/${folder}/signature-2`,
    ]);
  });

  it('has none where there is none', async () => {
    const http = await httpStore(() => [404]);
    await mkdir(join(root, 'empty'));
    const stores = [http.url, pathToFileURL(join(root, 'empty')).href];
    expect(await fetchSignatures(stores, digest, options)).toEqual({
      signatures: [],
      failures: [],
    });
  });

  it('knows nothing where its folder is not there', async () => {
    const store = pathToFileURL(join(root, 'absent')).href;
    expect(await fetchSignatures([store], digest, options)).toMatchObject({
      signatures: [],
      failures: [{ code: 'NOT_FOUND' }],
    });
  });

  it('keeps what it got from a store that failed, and from the others', async () => {
    const broken = await httpStore((path) => (path.endsWith('-1') ? [200, 'one'] : [503]));
    const refusing = await httpStore(() => [403]);
    const stores = [
      broken.url,
      refusing.url,
      'http://127.0.0.1:1/',
      await fileStore('good', ['good']),
    ];
    const { signatures, failures } = await fetchSignatures(stores, digest, options);
    expect(texts(signatures)).toEqual(['one', 'good']);
    expect(failures.map(({ code }) => code)).toEqual(['REGISTRY', 'REGISTRY', 'NETWORK']);
  });

  it('tries again, and follows redirects', async () => {
    const { url } = await httpStore((path, nth) => {
      if (path.startsWith('/signatures/'))
        return path.endsWith('-1') ? [302, '', path.replace('signatures', 'moved')] : [404];
      return nth === 1 ? [500] : [200, 'one'];
    });
    expect(texts((await fetchSignatures([url], digest, options)).signatures)).toEqual(['one']);
  });

  it('takes none above the ceiling', async () => {
    const large = Buffer.alloc(MAX_SIGNATURE_BYTES + 1);
    const http = await httpStore(() => [200, large]);
    const { signatures, failures } = await fetchSignatures(
      [http.url, await fileStore('large', [large])],
      digest,
      options,
    );
    expect(signatures).toEqual([]);
    expect(failures.map(({ code }) => code)).toEqual(['CONTENT_MISMATCH', 'CONTENT_MISMATCH']);
  });

  it('leaves a store that does not end', async () => {
    const { url, asked } = await httpStore((path) => [200, path]);
    expect((await fetchSignatures([url], digest, options)).signatures).toHaveLength(100);
    expect(asked).toHaveLength(100);
  });

  it.each(['ftp://example.com/', '/srv/signatures', 'example.com', 'https://', ''])(
    'refuses %j',
    async (store) => {
      await expect(fetchSignatures([store], digest, options)).rejects.toMatchObject({
        code: 'CONFIGURATION',
      });
    },
  );

  it('ends with an abort', async () => {
    const stop = new AbortController();
    const { url } = await httpStore(() => {
      stop.abort();
      return [200, 'one'];
    });
    await expect(
      fetchSignatures([url], digest, { ...options, signal: stop.signal }),
    ).rejects.toMatchObject({ name: 'AbortError' });
  });
});
