import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

import { type Digest, digestFromHex } from '../core/digest.ts';
import { writeError } from '../core/errors.ts';
import type { VolumePlan } from './plan.ts';

/**
 * How much a power cut may cost, in bytes: the file is flushed to the medium about this often. Seldom enough for a fast disk, and
 * often enough that on a slow stick little is left to wait for when everything has been written.
 */
const SYNC_INTERVAL = 64 * 1024 * 1024;

/** What an unfinished volume is called: its final name and this. */
export const PARTIAL_SUFFIX = '.partial';

/** A state that a volume can be taken back to. */
export interface Mark {
  readonly position: number;
  readonly hash: Hash;
}

/** Writes one physical file under its partial name, and hashes what goes by. */
export class VolumeWriter {
  /** The final name. */
  readonly path: string;
  readonly #plan: VolumePlan;
  #file: FileHandle;
  /** The file has its final name: it is compared, and written to only after it has lost that name again. */
  #isFinished: boolean;
  #position = 0;
  #hash = createHash('sha256');
  #synced = 0;
  #syncing: Promise<unknown> = Promise.resolve();

  private constructor(path: string, plan: VolumePlan, file: FileHandle, isFinished: boolean) {
    this.path = path;
    this.#plan = plan;
    this.#file = file;
    this.#isFinished = isFinished;
  }

  /** Begins `<path>.partial` with what stands before the first layer. @throws BundleError DISK */
  static async create(path: string, plan: VolumePlan): Promise<VolumeWriter> {
    const partial = `${path}${PARTIAL_SUFFIX}`;
    const writer = new VolumeWriter(path, plan, await onDisk('create', partial, () => open(partial, 'w', 0o644)), false);
    try {
      await writer.write(plan.head);
    } catch (error) {
      await writer.close();
      throw error;
    }
    return writer;
  }

  /**
   * Goes on with a file that begins as this plan does. What follows its head counts only as far as {@link pass} is told of it.
   * @param state whether the file has its final name already.
   * @throws BundleError DISK
   */
  static async reopen(path: string, plan: VolumePlan, state: 'begun' | 'finished'): Promise<VolumeWriter> {
    const isFinished = state === 'finished';
    const actual = isFinished ? path : `${path}${PARTIAL_SUFFIX}`;
    const writer = new VolumeWriter(path, plan, await onDisk('open', actual, () => open(actual, isFinished ? 'r' : 'r+')), isFinished);
    writer.pass(plan.head);
    return writer;
  }

  get partialPath(): string {
    return `${this.path}${PARTIAL_SUFFIX}`;
  }

  /** Writes the next bytes. */
  async write(parts: readonly Uint8Array[]): Promise<void> {
    await this.#takeNameAway();
    const pieces = parts.filter((part) => part.length > 0);
    const written = this.#append(pieces);
    // On this thread, while another one writes.
    for (const piece of pieces) this.#hash.update(piece);
    await written;
  }

  async #append(pieces: readonly Uint8Array[]): Promise<void> {
    let rest = pieces;
    while (rest.length > 0) {
      const { bytesWritten } = await onDisk('write', this.partialPath, () => this.#file.writev(rest, this.#position));
      this.#position += bytesWritten;
      rest = after(rest, bytesWritten);
    }
  }

  /** Counts the next bytes, which are in the file already. */
  pass(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#hash.update(part);
      this.#position += part.length;
    }
  }

  mark(): Mark {
    return { position: this.#position, hash: this.#hash.copy() };
  }

  /** Forgets what was written or passed since; the bytes themselves stay until they are overwritten or cut off. */
  rewind({ position, hash }: Mark): void {
    this.#position = position;
    this.#hash = hash;
  }

  /** Cuts the file back to `size` bytes, if it has more. @throws BundleError DISK */
  async truncate(size: number): Promise<void> {
    await this.#takeNameAway();
    await onDisk('cut back', this.partialPath, async () => {
      if ((await this.#file.stat()).size > size) await this.#file.truncate(size);
    });
  }

  /** Cuts an unfinished file back; a finished one is left alone until it is written to. @throws BundleError DISK */
  async cutBackTo(size: number): Promise<void> {
    if (!this.#isFinished) await this.truncate(size);
  }

  /** One sync is under way while the next stretch is written, so that writing rarely waits. */
  async syncNowAndThen(): Promise<void> {
    if (this.#position - this.#synced < SYNC_INTERVAL) return;
    await onDisk('write', this.partialPath, () => this.#awaitSync());
    this.#synced = this.#position;
    this.#syncing = this.#file.datasync().catch((error: unknown) => error);
  }

  /**
   * Ends the file, syncs it and its folder, and gives it its final name. One that is finished already is left as it is.
   * @returns the SHA-256 of the whole file, and whether it was finished and right already.
   */
  async finish(): Promise<{ readonly digest: Digest; readonly wasFinished: boolean }> {
    const { size, tail } = this.#plan;
    if (this.#position + tail.length !== size) {
      throw new RangeError(`planned ${size} bytes for ${this.path}, have ${this.#position} and ${tail.length}`);
    }
    if (this.#isFinished && (await this.#endsAsPlanned())) {
      this.pass([tail]);
      await this.#file.close();
      return { digest: digestFromHex(this.#hash.digest('hex')), wasFinished: true };
    }
    await this.truncate(size);
    await this.write([tail]);
    await onDisk('write', this.partialPath, async () => {
      await this.#awaitSync();
      await this.#file.sync();
      await this.#file.close();
      await rename(this.partialPath, this.path);
    });
    await syncFolder(dirname(this.path));
    return { digest: digestFromHex(this.#hash.digest('hex')), wasFinished: false };
  }

  /** Lets go of the file and leaves what is written under the name that it has. */
  async close(): Promise<void> {
    await this.#syncing;
    await this.#file.close().catch(() => undefined);
  }

  /** A finished file that turns out to be damaged is an unfinished one again before the first byte of it changes. */
  async #takeNameAway(): Promise<void> {
    if (!this.#isFinished) return;
    await onDisk('rename', this.path, async () => {
      await this.#file.close();
      await rename(this.path, this.partialPath);
      this.#file = await open(this.partialPath, 'r+');
    });
    this.#isFinished = false;
  }

  async #endsAsPlanned(): Promise<boolean> {
    const { size, tail } = this.#plan;
    const found = Buffer.alloc(tail.length + 1);
    const { bytesRead } = await onDisk('read', this.path, () => this.#file.read(found, 0, found.length, size - tail.length));
    return bytesRead === tail.length && Buffer.compare(found.subarray(0, bytesRead), tail) === 0;
  }

  async #awaitSync(): Promise<void> {
    const failure = await this.#syncing;
    if (failure !== undefined) throw failure as Error;
  }
}

/** Writes a small file whole or not at all: temporary name, sync, rename. @throws BundleError DISK */
export async function writeWhole(path: string, content: Uint8Array | string, mode = 0o644): Promise<void> {
  await onDisk('write', path, async () => {
    const temporary = `${path}${PARTIAL_SUFFIX}`;
    const file = await open(temporary, 'w', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  });
  await syncFolder(dirname(path));
}

/** A renamed file survives a power cut only when its folder has been synced too; some file systems cannot, and need not. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch {
    // FAT and network file systems refuse to sync a folder; the file itself is on the medium already.
  }
}

function after(parts: readonly Uint8Array[], written: number): Uint8Array[] {
  let skip = written;
  return parts.flatMap((part) => {
    const rest = part.subarray(Math.min(skip, part.length));
    skip -= part.length - rest.length;
    return rest.length > 0 ? [rest] : [];
  });
}

async function onDisk<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw writeError(action, path, error);
  }
}
