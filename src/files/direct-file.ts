import { constants, type FileHandle, open } from 'node:fs/promises';

import { systemCode } from '../core/errors.ts';
import { createFile, reopenFile } from './own-file.ts';

/**
 * The offset, length and memory address of a direct write have to be multiples of a block. No file
 * system has larger blocks than this, in bytes.
 */
const BLOCK = 4096;
/**
 * Bytes of one write. Disks are fastest with long ones: 4 MiB at a time are a tenth faster by
 * themselves, which is not seen in a pack, where they cost 15 MiB of memory.
 */
const STAGE = 1024 * 1024;

/**
 * A file that is written in one direction, past the page cache where its system can do that
 * (`O_DIRECT` of open(2)). The kernel then has no second copy of the bytes to make, which costs as
 * much as everything else that is done with them, and gives up nothing for them that others have
 * cached; and a slow medium is slow at once, not when all seems to be done.
 *
 * Bytes are gathered into blocks, so that some of those taken are in memory alone: {@link flush}
 * puts them into the file.
 */
export class DirectFile {
  readonly #file: FileHandle;
  /** The same file once more; `undefined` where it can be written through the cache alone. */
  #direct: FileHandle | undefined;
  /** One is filled while the other one is written. */
  readonly #stages: [Uint8Array, Uint8Array];
  /**
   * Where in the file the first stage belongs, a whole number of blocks; `undefined` while none has
   * begun.
   */
  #base: number | undefined;
  /** Bytes of it that are filled, and those of them that are in the file. */
  #filled = 0;
  #flushed = 0;
  /** Of the second stage. */
  #written: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, direct: FileHandle | undefined) {
    this.#file = file;
    this.#direct = direct;
    // Memory that may be resized begins at a page; that of other buffers begins anywhere.
    const memory = new ArrayBuffer(2 * STAGE, { maxByteLength: 2 * STAGE });
    this.#stages = [new Uint8Array(memory, 0, STAGE), new Uint8Array(memory, STAGE, STAGE)];
  }

  /**
   * @param state whether it is made anew, or there already.
   * @param openDirect opens a file for direct writes, or not.
   * @throws BundleError DISK for anything there that is no file; Error of the system.
   */
  static async open(
    path: string,
    state: 'new' | 'begun',
    openDirect = openPastCache,
  ): Promise<DirectFile> {
    const file = await (state === 'new' ? createFile(path) : reopenFile(path));
    return new DirectFile(file, await openDirect(path));
  }

  /**
   * Takes bytes that belong at `position`.
   * @throws Error of the system, also for bytes that were taken earlier.
   */
  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    if (this.#base === undefined || position !== this.#base + this.#filled)
      await this.#goTo(position);
    for (const part of parts) {
      for (let at = 0; at < part.length;) {
        const piece = part.subarray(at, at + STAGE - this.#filled);
        this.#stages[0].set(piece, this.#filled);
        this.#filled += piece.length;
        at += piece.length;
        if (this.#filled === STAGE) await this.#turnOver();
      }
    }
  }

  /** Puts everything that was taken into the file. @throws Error of the system */
  async flush(): Promise<void> {
    await this.#written;
    if (this.#base === undefined) return;
    await writeAll(
      this.#file,
      this.#stages[0].subarray(this.#flushed, this.#filled),
      this.#base + this.#flushed,
    );
    this.#flushed = this.#filled;
  }

  /** Cuts the file back to `size` bytes, if it has more. @throws Error of the system */
  async truncate(size: number): Promise<void> {
    await this.flush();
    this.#base = undefined;
    if ((await this.#file.stat()).size > size) await this.#file.truncate(size);
  }

  /**
   * Puts what is in the file onto the medium; more may be taken meanwhile. @throws Error of the
   * system
   */
  async datasync(): Promise<void> {
    await this.#file.datasync();
  }

  /** Puts everything that was taken onto the medium. @throws Error of the system */
  async sync(): Promise<void> {
    await this.flush();
    await this.#file.sync();
  }

  /** Lets go of the file; what was not flushed is lost. */
  async close(): Promise<void> {
    await this.#written.catch(() => undefined);
    await this.#direct?.close();
    await this.#file.close();
  }

  /** Sends the full stage to the file, and begins the other one as soon as that is there. */
  async #turnOver(): Promise<void> {
    const [full] = this.#stages;
    const base = this.#base!;
    await this.#written;
    this.#written = this.#put(full, base);
    this.#written.catch(() => undefined); // whoever waits for it next sees the failure
    this.#stages.reverse();
    this.#base = base + STAGE;
    this.#filled = 0;
    this.#flushed = 0;
  }

  async #put(bytes: Uint8Array, position: number): Promise<void> {
    try {
      await writeAll(this.#direct ?? this.#file, bytes, position);
    } catch (error) {
      // Some systems open a file for direct writes and refuse the first of them.
      if (this.#direct === undefined || systemCode(error) !== 'EINVAL') throw error;
      await this.#direct.close();
      this.#direct = undefined;
      await writeAll(this.#file, bytes, position);
    }
  }

  /**
   * A direct write begins with a whole block: the bytes of it before `position` are read from the
   * file.
   */
  async #goTo(position: number): Promise<void> {
    await this.flush();
    this.#filled = position % BLOCK;
    this.#flushed = this.#filled;
    this.#base = position - this.#filled;
    if (this.#filled > 0) await this.#file.read(this.#stages[0], 0, this.#filled, this.#base);
  }
}

async function openPastCache(path: string): Promise<FileHandle | undefined> {
  const { O_DIRECT, O_WRONLY, O_NOFOLLOW } = constants as Partial<typeof constants>;
  if (O_DIRECT === undefined || O_WRONLY === undefined || O_NOFOLLOW === undefined)
    return undefined; // a system without
  return open(path, O_WRONLY | O_DIRECT | O_NOFOLLOW).catch(() => undefined);
}

/**
 * Writes all of some bytes, however many the system takes at once.
 * @param position of the first in the file; behind what was written last where it is left out.
 */
export async function writeAll(
  file: Pick<FileHandle, 'write'>,
  bytes: Uint8Array,
  position?: number,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const place = position === undefined ? null : position + at;
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, place);
    at += bytesWritten;
  }
}
