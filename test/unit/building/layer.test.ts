import { execFileSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

import { gzipStored, streamGzipStored } from '../../../src/building/gzip.ts';
import { plainTar, streamTar, type TarEntry, tarLength } from '../../../src/building/tar.ts';
import { readAll, streamOf } from '../../../src/core/bytes.ts';
import { entriesOf } from './tar-entries.ts';

describe('a tar in which nothing but names and bytes makes a difference', () => {
  it('is read by other programs, long paths too', async () => {
    const long = `${'a'.repeat(90)}/${'b'.repeat(60)}/${'c'.repeat(99)}`;
    const tar = plainTar([
      { path: 'folder' },
      { path: 'folder/x', bytes: Buffer.from('xyz') },
      { path: long, bytes: Buffer.alloc(600, 'l') },
    ]);
    const entries = await entriesOf(tar);
    expect([...entries.keys()]).toEqual(['folder', 'folder/x', long]);
    expect(entries.get('folder/x')).toBe('file 644 0 0 0  xyz');
    expect(entries.get('folder')).toBe('directory 755 0 0 0');
    const listed = execFileSync('tar', ['-tvf', '-'], {
      input: tar,
      env: { TZ: 'UTC' },
    }).toString();
    expect(listed).toContain(long);
    expect(listed).toMatch(/^drwxr-xr-x 0\/0 +0 1970-01-01 00:00 folder\/\n-rw-r--r-- 0\/0 +3 /);
  });

  it.each(['x'.repeat(101), `${'p'.repeat(156)}/${'x'.repeat(90)}`, 'ä', '', 'a\nb'])(
    'refuses the path %j, which a plain header cannot have',
    (path) => {
      expect(() => plainTar([{ path, bytes: new Uint8Array(0) }])).toThrow(RangeError);
    },
  );
});

describe('gzip without compression', () => {
  it.each([0, 1, 65_535, 65_536, 200_000])('holds %d bytes', (size) => {
    const content = Buffer.alloc(size, 'content ');
    const packed = gzipStored(content);
    expect(gunzipSync(packed).equals(content)).toBe(true);
    expect(packed.length).toBe(size + 18 + 5 * Math.max(1, Math.ceil(size / 65_535)));
  });
});

describe('the same, piece by piece', () => {
  const entries: readonly TarEntry[] = [
    { path: 'folder' },
    { path: 'folder/large', bytes: Buffer.alloc(150_000, 'large ') },
    { path: 'folder/none', bytes: new Uint8Array(0) },
  ];
  const inPieces = async function* (bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
    // As files are read: into one buffer, again and again.
    const buffer = Buffer.alloc(size);
    for (let at = 0; at < bytes.length; at += size) {
      const piece = bytes.subarray(at, at + size);
      buffer.set(piece);
      yield buffer.subarray(0, piece.length);
    }
  };

  it.each([1000, 65_535, 65_536, 10 ** 6])('is a tar, read in pieces of %d bytes', async (size) => {
    const files = entries.map((entry) => {
      const { path, bytes } = entry;
      if (bytes === undefined) return entry;
      return { path, size: bytes.length, read: () => inPieces(bytes, size) };
    });
    const tar = plainTar(entries);
    expect(tarLength(files)).toBe(tar.length);
    expect(Buffer.from(await readAll(streamTar(files), 10 ** 7, 'tar')).equals(tar)).toBe(true);
  });

  it.each([0, 1, 65_534, 65_535, 65_536, 131_070, 200_000])(
    'is a gzip file of %d bytes',
    async (size) => {
      const content = Buffer.alloc(size, 'content ');
      const expected = gzipStored(content);
      for (const piece of [7000, 65_535, 100_000]) {
        const packed = streamGzipStored(inPieces(content, piece), size);
        const bytes = await readAll(packed, 10 ** 7, 'gzip');
        expect(Buffer.from(bytes).equals(expected)).toBe(true);
      }
      const whole = await readAll(streamGzipStored(streamOf(content), size), 10 ** 7, 'gzip');
      expect(Buffer.from(whole).equals(expected)).toBe(true);
    },
  );
});
