import { type FileHandle, open, stat } from 'node:fs/promises';

import { BundleError } from '../core/errors.ts';
import { diskError } from './disk-error.ts';
import { openRegular } from './reading/open-regular.ts';
import { contentOfPipe } from './reading/pipe.ts';

/** How much of a pipe is read at first; more is asked for where there is more. */
const FIRST = 64 * 1024;
/** U+FEFF in UTF-8. */
const MARK = [0xef, 0xbb, 0xbf];

/**
 * A small file, whole, from a place that this program or others have filled. Nothing is read of a
 * pipe or a device there: it could be waited for without end.
 * @throws BundleError NOT_FOUND, DISK; CONFIGURATION for what is no file, or larger than `limit`
 * bytes.
 */
export async function readSmallFile(
  path: string,
  limit: number,
  what?: string,
): Promise<Uint8Array> {
  const named = nameOf(path, what);
  try {
    const opened = await openRegular(path);
    if (opened !== undefined) {
      const { file, size } = opened;
      if (size <= limit) return await readToEnd(file, { path: named, limit, size });
      await file.close();
      throw tooLarge(named, limit);
    }
  } catch (error) {
    throw error instanceof BundleError ? error : diskError('read', named, error);
  }
  throw new BundleError('CONFIGURATION', `${named} is no file`, {
    expected: 'a file',
    got: 'a pipe, a device or a socket',
    hint: 'Find out who has put it there, and put a file in its place.',
  });
}

/**
 * The first bytes of a file, without a byte order mark; fewer if it has no more.
 * @returns `undefined` for what is no file.
 * @throws BundleError NOT_FOUND, DISK
 */
export async function readBeginning(path: string, bytes: number): Promise<Uint8Array | undefined> {
  try {
    const opened = await openRegular(path);
    if (opened === undefined) return undefined;
    try {
      const buffer = Buffer.alloc(MARK.length + bytes);
      const { bytesRead } = await opened.file.read(buffer, 0, buffer.length, 0);
      return withoutMark(buffer.subarray(0, bytesRead)).subarray(0, bytes);
    } finally {
      await opened.file.close();
    }
  } catch (error) {
    throw diskError('read', path, error);
  }
}

/**
 * A small file, whole, that somebody has named. It may be a pipe, as in
 * `--authfile <(vault read …)`, and is given without a byte order mark.
 * @param what it is, for messages: `the auth file`.
 * @throws BundleError NOT_FOUND, DISK; CONFIGURATION when it is larger than `limit` bytes.
 */
export async function readGivenFile(
  path: string,
  limit: number,
  what?: string,
): Promise<Uint8Array> {
  const named = nameOf(path, what);
  try {
    if ((await stat(path)).isFIFO()) return withoutMark(await readPipe(path, named, limit));
    const file = await open(path, 'r');
    return withoutMark(await readToEnd(file, { path: named, limit, size: FIRST }));
  } catch (error) {
    throw error instanceof BundleError ? error : diskError('read', named, error);
  }
}

/**
 * A text without the byte order mark that editors of Windows put before it. Readers of YAML and of
 * TOML skip it, and those of JSON may (RFC 8259, section 8.1).
 */
export function withoutMark(content: Uint8Array): Uint8Array {
  const isMarked = MARK.every((byte, index) => content[index] === byte);
  return isMarked ? content.subarray(MARK.length) : content;
}

function nameOf(path: string, what: string | undefined): string {
  return what === undefined ? path : `${what} ${path}`;
}

/** Reads at most one byte more than may be there, and closes the file. */
async function readToEnd(
  file: FileHandle,
  { path, limit, size }: { readonly path: string; readonly limit: number; readonly size: number },
): Promise<Uint8Array> {
  try {
    let buffer = Buffer.allocUnsafeSlow(Math.min(size, limit) + 1);
    for (let length = 0; length <= limit;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) return buffer.subarray(0, length);
      length += bytesRead;
      if (length < buffer.length) continue;
      const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(2 * length, FIRST), limit + 1));
      buffer.copy(larger);
      buffer = larger;
    }
  } finally {
    await file.close();
  }
  throw tooLarge(path, limit);
}

/** Ends at the first byte that is too much. */
async function readPipe(path: string, named: string, limit: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of contentOfPipe(path, named)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) throw tooLarge(named, limit);
  }
  return Buffer.concat(chunks);
}

/** Of a file that has more bytes than one of its kind can have. */
export function tooLarge(path: string, limit: number): BundleError {
  return new BundleError('CONFIGURATION', `${path} is larger than ${limit} bytes`, {
    hint: 'Check the path: a file of this kind is never that large.',
  });
}
