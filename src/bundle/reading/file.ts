import type { FileHandle } from 'node:fs/promises';

import { type BundleError, systemCode } from '../../core/errors.ts';
import { diskError } from '../../files/disk-error.ts';
import { openRegular } from '../../files/reading/open-regular.ts';
import { BLOCK_SIZE } from '../format/frames.ts';
import { piecesOf, storedOffset } from '../format/stored.ts';
import { unusable } from '../format/unusable.ts';

/** Bytes read from the medium at once. */
const READ_SIZE = 256 * 1024;
/** One is being used, one filled, and one may still be on its way into a socket. */
const BUFFERS = 3;

/** A volume: all of a file, or a stretch of one that volumes were joined to. */
export interface VolumeSource {
  readonly file: BundleFile;
  /** Where it begins in the file, in bytes. */
  readonly start: number;
}

/** Where the bytes of a bundle come from: a file, or a pipe, whose bytes come once and in order. */
export interface ByteSource {
  /** For messages. */
  readonly path: string;
  /** Bytes; `Infinity` where nobody knows before the end. */
  readonly size: number;
  /**
   * Fills `buffer` from `offset` on. Nothing before that offset is asked for again. @throws
   * BundleError BUNDLE_UNUSABLE, DISK
   */
  fill(buffer: Uint8Array, offset: number): Promise<void>;
  /** How many bytes there are from `offset` on, counted up to `length`. */
  available(offset: number, length: number): Promise<number>;
  close(): Promise<void>;
}

/** A physical file of a bundle, or a pipe, read only. */
export class BundleFile {
  readonly #source: ByteSource;
  /** Memory of reads that have come to their end, for the next ones. */
  readonly #spare: Uint8Array[] = [];

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** @throws BundleError NOT_FOUND, DISK; BUNDLE_UNUSABLE for anything but a file */
  static async open(path: string): Promise<BundleFile> {
    return new BundleFile(await DiskSource.open(path));
  }

  get path(): string {
    return this.#source.path;
  }

  /** Bytes; `Infinity` for a pipe. */
  get size(): number {
    return this.#source.size;
  }

  /** As many bytes as there are, up to `length`, in memory of their own. */
  async readUpTo(offset: number, length: number): Promise<Uint8Array> {
    return this.read(offset, await this.#source.available(offset, length));
  }

  /**
   * Exactly `length` bytes in memory of their own. @throws BundleError BUNDLE_UNUSABLE when the
   * file ends before.
   */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const buffer = Buffer.alloc(Math.max(0, length));
    await this.#source.fill(buffer, offset);
    return buffer;
  }

  /**
   * A whole stored section, small enough for memory, without its framing. @throws BundleError
   * BUNDLE_UNUSABLE
   */
  async readStored(offset: number, tarLength: number, what: string): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.stored(offset, tarLength, what))
      chunks.push(Uint8Array.from(chunk));
    return Buffer.concat(chunks, tarLength);
  }

  /**
   * The tar bytes of a stored section; its framing is compared with what it has to be. A chunk is
   * overwritten two reads later: long enough for a socket, which takes a chunk of this size in
   * before it asks for another.
   * @param range the tar bytes that are wanted, counted from the section's start.
   * @throws BundleError BUNDLE_UNUSABLE naming `what`.
   */
  async *stored(
    offset: number,
    tarLength: number,
    what: string,
    range: { readonly start: number; readonly end: number } = { start: 0, end: tarLength },
  ): AsyncGenerator<Uint8Array> {
    // Bytes after these need not exist yet.
    const end = offset + storedOffset(Math.min(range.end, tarLength));
    const window = new ReadWindow(
      (buffer, position) => this.#source.fill(buffer, position),
      offset,
      end,
      this.#spare,
    );
    let tar = 0;
    for (const piece of piecesOf(tarLength)) {
      if (tar >= range.end) break;
      if (piece.framing !== undefined) {
        const leadsToWanted = tar + BLOCK_SIZE > range.start;
        if (!leadsToWanted) window.skip(piece.framing.length);
        else if (!(await window.holds(piece.framing))) {
          throw unusable(
            `the framing of ${what} is wrong, before byte ${window.position} of the file`,
          );
        }
        continue;
      }
      if (tar + piece.tar <= range.start) {
        window.skip(piece.tar);
        tar += piece.tar;
        continue;
      }
      for (const pieceEnd = Math.min(tar + piece.tar, range.end); tar < pieceEnd;) {
        const bytes = await window.take(pieceEnd - tar);
        const first = Math.max(range.start - tar, 0);
        tar += bytes.length;
        if (bytes.length > first) yield bytes.subarray(first);
      }
    }
    // Only here: who ends the reading early may have a chunk on its way into a socket.
    window.giveBack();
  }

  async close(): Promise<void> {
    await this.#source.close();
  }
}

class DiskSource implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly #handle: FileHandle;

  private constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.#handle = handle;
  }

  static async open(path: string): Promise<DiskSource> {
    try {
      const opened = await openRegular(path);
      if (opened !== undefined) return new DiskSource(path, opened.size, opened.file);
    } catch (error) {
      if (systemCode(error) !== 'EISDIR') throw diskError('open', path, error);
    }
    throw unusable(`${path} is no file`, {
      hint: 'A bundle is what bundle pack writes; - reads a pipe.',
    });
  }

  async fill(buffer: Uint8Array, offset: number): Promise<void> {
    let filled = 0;
    while (filled < buffer.length) {
      let bytesRead: number;
      try {
        ({ bytesRead } = await this.#handle.read(
          buffer,
          filled,
          buffer.length - filled,
          offset + filled,
        ));
      } catch (error) {
        throw diskError('read', `${this.path} at byte ${offset + filled}`, error);
      }
      // What is asked for may begin far behind the end, and the file be shorter than it was.
      if (bytesRead === 0) throw endsAt(this.path, (await this.#handle.stat()).size);
      filled += bytesRead;
    }
  }

  async available(offset: number, length: number): Promise<number> {
    return Math.max(Math.min(length, this.size - offset), 0);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** The failure of a file that is shorter than what it began. */
function endsAt(path: string, byte: number): BundleError {
  return unusable(`${path} is cut off: it ends at byte ${byte}`);
}

/**
 * A stretch of a file, read in large strides: while one buffer is used, the next is being filled.
 */
class ReadWindow {
  readonly #fill: (buffer: Uint8Array, offset: number) => Promise<void>;
  readonly #end: number;
  readonly #spare: Uint8Array[];
  readonly #buffers: Uint8Array[] = [];
  #turn = 0;
  /** Where the next read begins in the file. */
  #next: number;
  #ready: Uint8Array = new Uint8Array(0);
  #ahead: { readonly bytes: Uint8Array; readonly filled: Promise<void> } | undefined;
  /** Whether a read was begun that nobody waited for. */
  #isAbandoned = false;

  constructor(
    fill: (buffer: Uint8Array, offset: number) => Promise<void>,
    start: number,
    end: number,
    spare: Uint8Array[],
  ) {
    this.#fill = fill;
    this.#next = start;
    this.#end = end;
    this.#spare = spare;
  }

  /** Where the next byte that is taken stands in the file. */
  get position(): number {
    return this.#next - (this.#ahead?.bytes.length ?? 0) - this.#ready.length;
  }

  /** Some of the next bytes: at least one, at most `length`. */
  async take(length: number): Promise<Uint8Array> {
    if (this.#ready.length === 0) await this.#readOn();
    const taken = this.#ready.subarray(0, length);
    this.#ready = this.#ready.subarray(taken.length);
    return taken;
  }

  /** Takes as many bytes as `expected` has; whether they are the same. */
  async holds(expected: Uint8Array): Promise<boolean> {
    for (let at = 0; at < expected.length;) {
      const bytes = await this.take(expected.length - at);
      if (Buffer.compare(bytes, expected.subarray(at, at + bytes.length)) !== 0) return false;
      at += bytes.length;
    }
    return true;
  }

  /**
   * Passes over bytes before anything has been taken after the last skip, mostly without reading
   * them.
   */
  skip(length: number): void {
    const ready = Math.min(length, this.#ready.length);
    this.#ready = this.#ready.subarray(ready);
    if (ready === length) return;
    const position = this.position + length - ready;
    this.#isAbandoned ||= this.#ahead !== undefined;
    this.#ahead = undefined;
    this.#next = position;
  }

  /** Leaves its memory to later reads, unless a read of its own may still be filling it. */
  giveBack(): void {
    if (this.#ahead === undefined && !this.#isAbandoned)
      this.#spare.push(...this.#buffers.splice(0));
  }

  async #readOn(): Promise<void> {
    const { bytes, filled } = this.#ahead ?? this.#begin();
    this.#ahead = undefined;
    await filled;
    this.#ready = bytes;
    if (this.#next < this.#end) this.#ahead = this.#begin();
  }

  #begin(): { bytes: Uint8Array; filled: Promise<void> } {
    const length = Math.min(READ_SIZE, this.#end - this.#next);
    const buffer = (this.#buffers[this.#turn] ??=
      this.#spare.shift() ?? Buffer.allocUnsafeSlow(READ_SIZE));
    this.#turn = (this.#turn + 1) % BUFFERS;
    const bytes = buffer.subarray(0, length);
    const filled = this.#fill(bytes, this.#next);
    filled.catch(() => undefined); // nobody may come for it any more; whoever does sees the failure
    this.#next += length;
    return { bytes, filled };
  }
}
