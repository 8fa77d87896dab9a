import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';

import { type Digest, digestFromHex } from '../../core/digest.ts';
import { PARTIAL_SUFFIX, renameFile } from '../../files/own-file.ts';
import { onDisk, syncFolder } from '../../files/write-whole.ts';
import { DirectFile } from '../../files/direct-file.ts';
import type { VolumePlan } from '../format/plan.ts';

/**
 * How much a power cut may cost, in bytes: the file is flushed to the medium about this often.
 * Seldom enough for a fast disk, and often enough that on a slow stick little is left to wait for
 * when everything has been written.
 */
const SYNC_INTERVAL = 64 * 1024 * 1024;

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
  /**
   * `undefined` while the file has its final name: it is compared, and written to only after it has
   * lost that name again.
   */
  #file: DirectFile | undefined;
  #position = 0;
  #hash = createHash('sha256');
  #synced = 0;
  #syncing: Promise<unknown> = Promise.resolve();

  private constructor(path: string, plan: VolumePlan, file: DirectFile | undefined) {
    this.path = path;
    this.#plan = plan;
    this.#file = file;
  }

  /** Begins `<path>.partial` with what stands before the first layer. @throws BundleError DISK */
  static async create(path: string, plan: VolumePlan): Promise<VolumeWriter> {
    const partial = `${path}${PARTIAL_SUFFIX}`;
    const writer = new VolumeWriter(
      path,
      plan,
      await onDisk('create', partial, () => DirectFile.open(partial, 'new')),
    );
    try {
      await writer.write(plan.head);
    } catch (error) {
      await writer.close();
      throw error;
    }
    return writer;
  }

  /**
   * Goes on with a file that begins as this plan does. What follows its head counts only as far as
   * {@link pass} is told of it.
   * @param state whether the file has its final name already.
   * @throws BundleError DISK
   */
  static async reopen(
    path: string,
    plan: VolumePlan,
    state: 'begun' | 'finished',
  ): Promise<VolumeWriter> {
    const partial = `${path}${PARTIAL_SUFFIX}`;
    const file =
      state === 'finished'
        ? undefined
        : await onDisk('open', partial, () => DirectFile.open(partial, 'begun'));
    const writer = new VolumeWriter(path, plan, file);
    writer.pass(plan.head);
    return writer;
  }

  get partialPath(): string {
    return `${this.path}${PARTIAL_SUFFIX}`;
  }

  /** Writes the next bytes. @throws BundleError DISK, also for bytes that were given earlier */
  async write(parts: readonly Uint8Array[]): Promise<void> {
    const file = await this.#writable();
    await onDisk('write', this.partialPath, () => file.write(parts, this.#position));
    this.pass(parts);
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

  /**
   * Forgets what was written or passed since; the bytes themselves stay until they are overwritten
   * or cut off.
   */
  rewind({ position, hash }: Mark): void {
    this.#position = position;
    this.#hash = hash;
  }

  /** Cuts the file back to `size` bytes, if it has more. @throws BundleError DISK */
  async truncate(size: number): Promise<void> {
    const file = await this.#writable();
    await onDisk('cut back', this.partialPath, () => file.truncate(size));
  }

  /**
   * Cuts an unfinished file back; a finished one is left alone until it is written to. @throws
   * BundleError DISK
   */
  async cutBackTo(size: number): Promise<void> {
    if (this.#file !== undefined) await this.truncate(size);
  }

  /** One sync is under way while the next stretch is written, so that writing rarely waits. */
  async syncNowAndThen(): Promise<void> {
    if (this.#position - this.#synced < SYNC_INTERVAL) return;
    await onDisk('write', this.partialPath, () => this.#awaitSync());
    this.#synced = this.#position;
    this.#syncing = (await this.#writable()).datasync().catch((error: unknown) => error);
  }

  /**
   * Ends the file, syncs it and its folder, and gives it its final name. One that is finished
   * already is left as it is.
   * @returns the SHA-256 of the whole file, and whether it was finished and right already.
   */
  async finish(): Promise<{ readonly digest: Digest; readonly wasFinished: boolean }> {
    const { size, tail } = this.#plan;
    const tailLength = tail.reduce((sum, part) => sum + part.length, 0);
    if (this.#position + tailLength !== size) {
      throw new RangeError(
        `planned ${size} bytes for ${this.path}, have ${this.#position} and ${tailLength}`,
      );
    }
    if (this.#file === undefined && (await this.#endsAsPlanned())) {
      this.pass(tail);
      return { digest: digestFromHex(this.#hash.digest('hex')), wasFinished: true };
    }
    await this.truncate(size);
    await this.write(tail);
    const file = await this.#writable();
    await onDisk('write', this.partialPath, async () => {
      await this.#awaitSync();
      await file.sync();
      await file.close();
      await renameFile(this.partialPath, this.path);
    });
    await syncFolder(dirname(this.path));
    return { digest: digestFromHex(this.#hash.digest('hex')), wasFinished: false };
  }

  /** Lets go of the file and leaves what is written under the name that it has. */
  async close(): Promise<void> {
    await this.#syncing;
    await this.#file?.flush().catch(() => undefined);
    await this.#file?.close().catch(() => undefined);
  }

  /**
   * A finished file that turns out to be damaged is an unfinished one again before the first byte
   * of it changes.
   */
  async #writable(): Promise<DirectFile> {
    this.#file ??= await onDisk('rename', this.path, async () => {
      await renameFile(this.path, this.partialPath);
      return DirectFile.open(this.partialPath, 'begun');
    });
    return this.#file;
  }

  async #endsAsPlanned(): Promise<boolean> {
    const { size } = this.#plan;
    const tail = Buffer.concat(this.#plan.tail);
    const found = Buffer.alloc(tail.length + 1);
    const bytesRead = await onDisk('read', this.path, async () => {
      const file = await open(this.path, 'r');
      try {
        return (await file.read(found, 0, found.length, size - tail.length)).bytesRead;
      } finally {
        await file.close();
      }
    });
    return bytesRead === tail.length && Buffer.compare(found.subarray(0, bytesRead), tail) === 0;
  }

  async #awaitSync(): Promise<void> {
    const failure = await this.#syncing;
    if (failure !== undefined) throw failure as Error;
  }
}
