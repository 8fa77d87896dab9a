import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { SealedBundle } from '../../../../src/bundle/reading/sealed.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-none-'));
});
afterAll(() => rm(folder, { recursive: true }));

const tar = Buffer.alloc(1024);
tar.write('name');
tar.write('ustar', 257);

it.each([
  ['an empty file', Buffer.alloc(0), 'it is empty'],
  ['a text', Buffer.from('Dear all,\n\nthe bundle is on the stick.\n'), 'it is a text'],
  ['JSON', Buffer.from('{"auths": {}}'), 'it is a text, as JSON is'],
  ['gzip', gzipSync('words'), 'it is a gzip file'],
  [
    'a key',
    Buffer.from('-----BEGIN PUBLIC KEY-----\n'),
    'it is a PEM file: a key or a certificate',
  ],
  ['a PNG', Buffer.from('89504e470d0a1a0a', 'hex'), 'it is a PNG image'],
  ['a tar', tar, 'it is a tar without compression'],
  ['zstd of others', Buffer.from('28b52ffd2000010000', 'hex'), 'it is a zstd file'],
  ['anything else', Buffer.from([1, 0, 255, 7]), 'it does not begin as one does'],
  ['a disk that lost its beginning', Buffer.alloc(2048), 'it does not begin as one does'],
])('%s in place of a bundle is called what it is', async (_, content, what) => {
  const path = join(folder, 'ocp-4.17.3-x86_64.tar.zst');
  await writeFile(path, content);
  await expect(SealedBundle.survey([path], () => undefined)).rejects.toMatchObject({
    code: 'BUNDLE_UNUSABLE',
    message: expect.stringMatching(`is not a bundle(, or is damaged)?: ${what}`) as string,
    hint: expect.stringMatching(
      what.startsWith('it does not begin')
        ? /^If it was a bundle: verify it where it was made, then copy it again\. A bundle is what /
        : /./,
    ) as string,
  });
});
