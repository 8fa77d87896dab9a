import { createHash } from 'node:crypto';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, digestFromHex } from '../core/digest.ts';
import { diskError, hasCode } from '../core/errors.ts';
import type { VerifiedStream } from '../core/verified.ts';
import type { BundlePlan, PlannedLayer } from './plan.ts';
import { StoredEncoder } from './stored.ts';
import { entryLength, paddingLength } from './tar.ts';

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
    const partial = BundleWriter.partialOf(path);
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

  /**
   * Goes on with a `<path>.partial` that begins as this plan does. What follows its head counts only as far as
   * {@link adopt} is given it.
   * @throws BundleError DISK
   */
  static async reopen(path: string, plan: BundlePlan): Promise<BundleWriter> {
    const partial = BundleWriter.partialOf(path);
    const file = await onDisk('open', partial, () => open(partial, 'r+'));
    const writer = new BundleWriter(path, plan, file);
    writer.#pass(plan.head);
    return writer;
  }

  /** Goes over a finished bundle for its digest; nothing is written. @throws BundleError DISK */
  static async examine(path: string, plan: BundlePlan): Promise<BundleWriter> {
    const writer = new BundleWriter(path, plan, await onDisk('open', path, () => open(path, 'r')));
    writer.#pass(plan.head);
    return writer;
  }

  /** What a bundle is called until it is finished. */
  static partialOf(path: string): string {
    return `${path}${PARTIAL_SUFFIX}`;
  }

  get partialPath(): string {
    return BundleWriter.partialOf(this.path);
  }

  /**
   * Appends the next layer of the plan. When the content turns out to be wrong the file is cut back to where the layer
   * began; when it breaks off, what came stays for a later run. The same layer can then be appended again.
   */
  async append(descriptor: Descriptor, content: VerifiedStream): Promise<void> {
    const layer = this.#next(descriptor);
    const before = this.#hash.copy();
    try {
      for await (const parts of framed(layer, content)) await this.#write(parts);
    } catch (error) {
      this.#hash = before;
      this.#position = layer.offset;
      if (hasCode(error, 'CONTENT_MISMATCH')) await this.truncate(layer.offset);
      throw error;
    }
    this.#nextLayer += 1;
    await this.#syncNowAndThen();
  }

  /**
   * Takes the next layer of the plan as it stands in the file.
   * @param content read back from there.
   * @throws whatever `content` throws; the layer then has to be appended.
   */
  async adopt(descriptor: Descriptor, content: VerifiedStream): Promise<void> {
    const layer = this.#next(descriptor);
    const before = this.#hash.copy();
    try {
      for await (const parts of framed(layer, content)) this.#pass(parts);
    } catch (error) {
      this.#hash = before;
      this.#position = layer.offset;
      throw error;
    }
    this.#nextLayer += 1;
  }

  /** Cuts the file back. @param size bytes that stay. @throws BundleError DISK */
  async truncate(size: number): Promise<void> {
    await onDisk('cut back', this.partialPath, () => this.#file.truncate(size));
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

  /** The SHA-256 of a finished file, all of whose layers have been adopted. */
  digestOfFinished(): Digest {
    this.#pass([this.#plan.tail]);
    return digestFromHex(this.#hash.digest('hex'));
  }

  /** Lets go of the file and leaves what is written under its partial name. */
  async close(): Promise<void> {
    await this.#syncing;
    await this.#file.close().catch(() => undefined);
  }

  #next(descriptor: Descriptor): PlannedLayer {
    const layer = this.#plan.layers[this.#nextLayer];
    if (layer?.descriptor.digest !== descriptor.digest) throw new RangeError(`${descriptor.digest} is not the next layer of the plan`);
    if (layer.offset !== this.#position) throw new RangeError(`layer planned at ${layer.offset}, file is at ${this.#position}`);
    return layer;
  }

  /** Counts what is in the file already. */
  #pass(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#hash.update(part);
      this.#position += part.length;
    }
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

/** A layer's section as the file holds it: header, content and padding with the framing around them. */
async function* framed(layer: PlannedLayer, content: VerifiedStream): AsyncGenerator<readonly Uint8Array[]> {
  const encoder = new StoredEncoder(entryLength(layer.size));
  const pending = encoder.encode(layer.header);
  for await (const chunk of content) yield [...pending.splice(0), ...encoder.encode(chunk)];
  yield [...pending, ...encoder.encode(new Uint8Array(paddingLength(layer.size)))];
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
