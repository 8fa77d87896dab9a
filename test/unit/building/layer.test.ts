import { execFileSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

import { gzipStored } from '../../../src/building/gzip.ts';
import { plainTar } from '../../../src/building/tar.ts';
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
