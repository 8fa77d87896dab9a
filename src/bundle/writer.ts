import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, digestFromHex } from '../core/digest.ts';
import { diskError } from '../core/errors.ts';
import type { VerifiedStream } from '../core/verified.ts';
import type { BundlePlan, PlannedLayer } from './plan.ts';
import { StoredEncoder } from './stored.ts';

/** How much a power cut may cost, in bytes: the file is flushed to the medium about this often. */
const SYNC_INTERVAL = 256 * 1024 * 1024;

/** What an unfinished bundle is called: its final name and this. */
export const PARTIAL_SUFFIX = '.partial';

/**
 * Writes a planned bundle by appending only: at every moment the file is a prefix of the finished one, and up to the
 * end of its last complete layer every byte of it has been checked.
 */
export class BundleWriter {
  /** The final name. */
  readonly path: string;
  readonly #plan: BundlePlan;
  readonly #file: FileHandle;
  #position = 0;
  #nextLayer = 0;
  #hash = createHash('sha256');
  #synced = 0;
  #syncing: Promise<unknown> = Promise.resolve();

  private constructor(path: string, plan: BundlePlan, file: FileHandle) {
    this.path = path;
    this.#plan = plan;
    this.#file = file;
  }

  /**
   * Begins `<path>.partial` with everything that stands before the first layer.
   * @throws BundleError DISK
   */
  static async create(path: string, plan: BundlePlan): Promise<BundleWriter> {
    const partial = `${path}${PARTIAL_SUFFIX}`;
    const file = await onDisk('create', partial, () => open(partial, 'w', 0o644));
    const writer = new BundleWriter(path, plan, file);
    try {
      await writer.#write(plan.head);
    } catch (error) {
      await writer.close();
      throw error;
    }
    return writer;
  }

  get partialPath(): string {
    return `${this.path}${PARTIAL_SUFFIX}`;
  }

  /**
   * Appends the next layer of the plan. When the content turns out to be wrong, or breaks off, the file is cut back to
   * where the layer began and the error is passed on: the same layer can then be appended again.
   */
  async append(descriptor: Descriptor, content: VerifiedStream): Promise<void> {
    const layer = this.#plan.layers[this.#nextLayer];
    if (layer?.descriptor.digest !== descriptor.digest) throw new RangeError(`${descriptor.digest} is not the next layer of the plan`);
    if (layer.offset !== this.#position) throw new RangeError(`layer planned at ${layer.offset}, file is at ${this.#position}`);
    const before = this.#hash.copy();
    try {
      await this.#writeLayer(layer, content);
    } catch (error) {
      await this.#cutBack(layer.offset, before);
      throw error;
    }
    this.#nextLayer += 1;
    await this.#syncNowAndThen();
  }

  /**
   * Ends the file, syncs it and its folder, and gives it its final name.
   * @returns the SHA-256 of the whole file.
   */
  async finish(): Promise<Digest> {
    if (this.#nextLayer !== this.#plan.layers.length) throw new RangeError('layers of the plan are missing');
    await this.#write([this.#plan.tail]);
    if (this.#position !== this.#plan.size) throw new RangeError(`planned ${this.#plan.size} bytes, wrote ${this.#position}`);
    await onDisk('write', this.partialPath, async () => {
      await this.#awaitSync();
      await this.#file.sync();
      await this.#file.close();
      await rename(this.partialPath, this.path);
    });
    await syncFolder(dirname(this.path));
    return digestFromHex(this.#hash.digest('hex'));
  }

  /** Lets go of the file and leaves what is written under its partial name. */
  async close(): Promise<void> {
    await this.#syncing;
    await this.#file.close().catch(() => undefined);
  }

  async #writeLayer(layer: PlannedLayer, content: VerifiedStream): Promise<void> {
    const encoder = new StoredEncoder(layer.tarLength);
    const pending = encoder.encode(layer.header);
    for await (const chunk of content) {
      await this.#write([...pending.splice(0), ...encoder.encode(chunk)]);
    }
    await this.#write([...pending, ...encoder.encode(new Uint8Array(layer.padding))]);
  }

  async #write(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) this.#hash.update(part);
    let rest = parts.filter((part) => part.length > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await onDisk('write', this.partialPath, () => this.#file.writev(rest, this.#position));
      this.#position += bytesWritten;
      rest = after(rest, bytesWritten);
    }
  }

  async #cutBack(offset: number, hash: Hash): Promise<void> {
    this.#hash = hash;
    this.#position = offset;
    await onDisk('cut back', this.partialPath, () => this.#file.truncate(offset));
  }

  /** One sync is under way while the next stretch is written, so that writing rarely waits. */
  async #syncNowAndThen(): Promise<void> {
    if (this.#position - this.#synced < SYNC_INTERVAL) return;
    await onDisk('write', this.partialPath, () => this.#awaitSync());
    this.#synced = this.#position;
    this.#syncing = this.#file.datasync().catch((error: unknown) => error);
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
    throw diskError(action, path, error);
  }
}
