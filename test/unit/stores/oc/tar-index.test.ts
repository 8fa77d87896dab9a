import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

import { extract } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { WindowedFile } from '../../../../src/files/piece.ts';
import { filesInTar, type TarFile } from '../../../../src/stores/oc/tar-index.ts';
import { paxEntry, tarEntry, withHeader } from '../../../support/crafted-tar.ts';
import { peerTar, tarOf } from '../../../support/peer-forms.ts';

const END = Buffer.alloc(1024);
const LONG = `docker/registry/v2/${'a/'.repeat(150)}link`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tar-index-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

/** @param size of the file, where it is longer than what is written: the rest is a hole. */
async function indexOf(tar: Uint8Array, size?: number): Promise<readonly TarFile[]> {
  const path = join(folder, 'mirror_000001.tar');
  await writeFile(path, tar);
  if (size !== undefined) await truncate(path, size);
  const archive = await WindowedFile.open(path);
  try {
    const files: TarFile[] = [];
    for await (const file of filesInTar(archive)) files.push(file);
    return files;
  } finally {
    await archive.close();
  }
}

/** The files of a tar as another program reads them. */
async function filesBy(tar: Uint8Array): Promise<readonly (readonly [string, Buffer])[]> {
  const reading = extract();
  reading.end(tar);
  const files: (readonly [string, Buffer])[] = [];
  for await (const entry of reading) {
    const content = await buffer(entry);
    if (entry.header.type === 'file') files.push([entry.header.name, content]);
  }
  return files;
}

const gnuName = (name: string): Uint8Array =>
  withHeader(tarEntry('name', Buffer.from(`${name}\0`), 0), { path: '././@LongLink', type: 'L' });

describe('the files of a tar', () => {
  it.each([
    ['of oc-mirror', () => peerTar('oc-mirror-first')],
    ['of an increment', () => peerTar('oc-mirror-second')],
    ['of a folder with links', () => peerTar('oc-dir')],
    [
      'with names that are longer than a header holds',
      () =>
        tarOf([
          [LONG, 'x'],
          ['b', 'yy'],
        ]),
    ],
    ['with names of GNU', async () => Buffer.concat([gnuName(LONG), tarEntry('c', END, 0), END])],
    [
      'with facts for all entries',
      async () => Buffer.concat([paxEntry('g', 'comment', 'x'), tarEntry('c', END, 0), END]),
    ],
    [
      'with an empty one',
      () =>
        tarOf([
          ['empty', ''],
          ['last', 'z'],
        ]),
    ],
  ])('%s are where their content is', async (_, make) => {
    const tar = await make();
    const expected = await filesBy(tar);
    const found = await indexOf(tar);
    expect(found.map(({ name }) => name)).toEqual(expected.map(([name]) => name));
    expect(found.length).toBeGreaterThan(0);
    for (const [index, { start, size }] of found.entries())
      expect(tar.subarray(start, start + size).equals(expected[index]![1])).toBe(true);
  });

  it.each([
    [
      'in digits',
      (size: number) => withSize(tarEntry('big', Buffer.alloc(0), 0), size.toString(8)),
    ],
    ['in binary', (size: number) => withSize(tarEntry('big', Buffer.alloc(0), 0), binary(size))],
    [
      'in a header before',
      (size: number) =>
        Buffer.concat([paxEntry('x', 'size', String(size)), tarEntry('big', Buffer.alloc(0), 0)]),
    ],
  ])('may be large: the size stands %s', async (form, header) => {
    // The largest that eleven octal digits can say, and more than that.
    const size = form === 'in digits' ? 8 ** 11 - 512 : 2 ** 33 + 512;
    const bytes = header(size);
    const [file] = await indexOf(bytes, bytes.length + size + 1024);
    expect(file).toEqual({ name: 'big', start: bytes.length, size });
  });

  it('are not all there where it is cut, wherever that is', async () => {
    const whole = await tarOf([
      ['one', 'x'.repeat(700)],
      [LONG, 'y'],
      ['three', ''],
    ]);
    const end = whole.length - 1024;
    for (let size = 0; size <= end; size += 128)
      await expect(indexOf(whole.subarray(0, size))).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
        message: expect.stringContaining('is cut off') as string,
      });
    expect(await indexOf(whole.subarray(0, end + 512))).toHaveLength(3);
  });

  it('are refused where a header is changed', async () => {
    const whole = await tarOf([
      ['one', 'x'],
      ['two', 'y'],
    ]);
    for (let at = 0; at < 512; at += 1) {
      const changed = Buffer.from(whole);
      changed[1024 + at]! ^= 0x11;
      await expect(indexOf(changed)).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    }
  });

  it.each([
    ['a size that is none', () => Buffer.concat([paxEntry('x', 'size', '-1'), END])],
    ['a size that no number holds', () => withSize(tarEntry('a', END, 0), binary(2 ** 80))],
    ['zeros in place of a header', () => lost(Buffer.concat([tarEntry('a', END, 0), END]))],
    ['zeros in place of all of it', () => Buffer.alloc(2 ** 20 + 512)],
    ['no header', () => Buffer.from('x'.repeat(2048))],
    ['a gzip', () => Buffer.from([0x1f, 0x8b, ...Buffer.alloc(1000)])],
  ])('are refused where it has %s', async (_, make) => {
    await expect(indexOf(make())).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
  });

  it('are refused where facts about one take more memory than facts do', async () => {
    const huge = paxEntry('x', 'path', 'a'.repeat(9));
    const bytes = withSize(huge, (64 * 1024).toString(8));
    await expect(indexOf(bytes, 128 * 1024)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
  });
});

/** What a bad block in front, read as zeros, leaves. */
function lost(tar: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.alloc(512), tar]);
}

/** @param text of the field: octal digits, or its bytes in latin1. */
function withSize(entry: Uint8Array, text: string): Uint8Array {
  const changed = Buffer.from(entry);
  changed.fill(0, 124, 136);
  changed.write(text, 124, 12, 'latin1');
  return withHeader(changed, {});
}

/** The form of GNU tar: the first bit set, then the number. */
function binary(size: number): string {
  const hex = BigInt(size).toString(16).padStart(22, '0');
  return `\x80${Buffer.from(hex, 'hex').toString('latin1')}`;
}
