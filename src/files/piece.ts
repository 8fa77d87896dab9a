import { constants, type FileHandle, open } from 'node:fs/promises';

import { BundleError, systemCode } from '../core/errors.ts';
import { diskError } from './disk-error.ts';

const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;

/** Hashing is fastest with large chunks. */
const CHUNK_BYTES = 512 * 1024;

/** Bytes in a file that others have written: all of it, or a part. */
export interface Piece {
  readonly path: string;
  /** The first byte. */
  readonly start: number;
  /** How many bytes; up to the end of the file if it is left out. */
  readonly size?: number;
}

export interface PieceOptions {
  /** The bytes of the piece that are wanted: from `start` up to but not including `end`. */
  readonly range?: { readonly start: number; readonly end: number } | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a piece. A chunk is good until the next one is asked for. A file that has become shorter
 * gives fewer bytes.
 * @throws BundleError NOT_FOUND, DISK; UNSUPPORTED_CONTENT for a link, a pipe and the like.
 */
export async function* readPiece(
  { path, start, size = Infinity }: Piece,
  { range = { start: 0, end: Infinity }, signal }: PieceOptions = {},
): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  const end = start + Math.min(size, range.end);
  let at = start + range.start;
  if (at >= end) return;
  const { file } = await openOwn(path);
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(end - at, CHUNK_BYTES));
    while (at < end) {
      signal?.throwIfAborted();
      const wanted = Math.min(end - at, buffer.length);
      const bytesRead = await readAt(file, path, buffer.subarray(0, wanted), at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Bytes of a piece; `undefined` where the file is not there. @throws BundleError as reading does */
export async function sizeOfPiece({ path, start, size }: Piece): Promise<number | undefined> {
  if (size !== undefined) return size;
  try {
    const opened = await openOwn(path);
    await opened.file.close();
    return opened.size - start;
  } catch (error) {
    if (error instanceof BundleError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** A file that is read here and there, through a window: small reads near each other cost one. */
export class WindowedFile {
  readonly path: string;
  readonly size: number;
  readonly #file: FileHandle;
  readonly #buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #at = 0;
  #filled = 0;

  private constructor(path: string, file: FileHandle, size: number) {
    this.path = path;
    this.#file = file;
    this.size = size;
  }

  /** @throws BundleError NOT_FOUND, DISK; UNSUPPORTED_CONTENT for a link, a pipe and the like. */
  static async open(path: string): Promise<WindowedFile> {
    const { file, size } = await openOwn(path);
    return new WindowedFile(path, file, size);
  }

  /**
   * Bytes at a place, good until the next reading; fewer where the file ends.
   * @throws BundleError DISK; RangeError for more than a window holds.
   */
  async read(at: number, length: number): Promise<Uint8Array> {
    if (length > this.#buffer.length) throw new RangeError(`no window has ${length} bytes`);
    if (at < this.#at || at + length > this.#at + this.#filled) {
      this.#at = at;
      this.#filled = 0;
      while (this.#filled < this.#buffer.length) {
        const rest = this.#buffer.subarray(this.#filled);
        const bytesRead = await readAt(this.#file, this.path, rest, at + this.#filled);
        if (bytesRead === 0) break;
        this.#filled += bytesRead;
      }
    }
    const start = at - this.#at;
    return this.#buffer.subarray(start, Math.min(start + length, this.#filled));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function readAt(
  file: FileHandle,
  path: string,
  buffer: Uint8Array,
  at: number,
): Promise<number> {
  try {
    return (await file.read(buffer, 0, buffer.length, at)).bytesRead;
  } catch (error) {
    throw diskError('read', path, error);
  }
}

/** Opens what is a file itself: nothing that is a link, and nothing that could be waited for. */
async function openOwn(path: string): Promise<{ file: FileHandle; size: number }> {
  let file: FileHandle;
  try {
    file = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ELOOP') throw noFile(path, 'a symbolic link');
    if (code === 'ENXIO') throw noFile(path, 'a socket or a device');
    throw diskError('read', path, error);
  }
  try {
    const found = await file.stat();
    if (found.isFile()) return { file, size: found.size };
    throw noFile(path, found.isDirectory() ? 'a folder' : 'a pipe or a device');
  } catch (error) {
    await file.close();
    throw error instanceof BundleError ? error : diskError('read', path, error);
  }
}

function noFile(path: string, got: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `${path} is ${got}: it is not read`, {
    expected: 'a file',
    got,
    hint:
      got === 'a symbolic link'
        ? 'It leads out of the folder. Copy the folder with what its links lead to: cp -rL.'
        : 'Find out who has put it there, and copy the folder again.',
  });
}
