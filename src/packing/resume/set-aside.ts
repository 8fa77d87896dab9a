import { basename, dirname, join } from 'node:path';

import { BUNDLE_SUFFIX } from '../../bundle/format/names.ts';
import type { BundleReader } from '../../bundle/reading/reader.ts';
import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import type { FetchOptions, ReadOnlyStore } from '../../core/store.ts';
import { writeError } from '../../files/disk-error.ts';
import { prepareFolder, removeEmpty } from '../../files/folder.ts';
import { sizeOf } from '../../files/look.ts';
import {
  isFileThere,
  renameFile,
  PARTIAL_SUFFIX,
  refuseLinkedFolders,
  removeFile,
} from '../../files/own-file.ts';
import type { SigningKey } from '../../trust/keys.ts';
import type { PlannedBlob } from '../../transfer/plan.ts';
import { findBegun } from './begun.ts';
import { openSigned } from './begun-content.ts';
import { BeforeOrigin, continued } from './continued.ts';

/**
 * A bundle that was begun with images which turned out to be missing. It cannot be continued, since
 * its listing is signed: it is moved into a folder beside its name, and its blobs are taken from
 * there while the bundle is written again without these images.
 */
export class SetAside {
  readonly #path: string;
  readonly #key: SigningKey;
  #reader: BundleReader | undefined;

  /** @param path of the bundle. */
  constructor(path: string, key: SigningKey) {
    this.#path = path;
    this.#key = key;
  }

  get #moved(): string {
    return asidePath(this.#path);
  }

  /**
   * Moves there what is under the name now. Of two that were begun the larger is kept: each has all
   * blobs that it was able to get, in the same order. @throws BundleError DISK
   */
  async take(): Promise<void> {
    await this.close();
    const [here, there] = [await findBegun(this.#path), await findBegun(this.#moved)];
    if ((await bytesOf(here)) <= (await bytesOf(there))) {
      for (const { path } of here) await removeFile(path);
      return;
    }
    for (const { path } of there) await removeFile(path);
    const folder = dirname(this.#moved);
    await refuseLinkedFolders([folder]);
    await prepareFolder(folder);
    for (const { path } of here) await moveFile(path, join(folder, basename(path)));
  }

  /** Takes what is in the folder before all that is fetched. */
  async before(blobs: readonly PlannedBlob[]): Promise<readonly PlannedBlob[]> {
    const reader = (this.#reader ??= await this.#open());
    if (reader === undefined) return blobs;
    const held = new Set(reader.layerDigests);
    const stores = new Map<ReadOnlyStore, ReadOnlyStore>();
    const wrapped = (store: ReadOnlyStore): ReadOnlyStore => {
      const known = stores.get(store) ?? new StoreBehind(reader, store);
      stores.set(store, known);
      return known;
    };
    return blobs.map((blob) =>
      held.has(blob.descriptor.digest) ? { ...blob, store: wrapped(blob.store) } : blob,
    );
  }

  async #open(): Promise<BundleReader | undefined> {
    const paths = (await findBegun(this.#moved)).map(({ path }) => path);
    return paths.length === 0 ? undefined : openSigned(paths, this.#key);
  }

  async close(): Promise<void> {
    await this.#reader?.close();
    this.#reader = undefined;
  }

  /** Removes the folder with what it holds of this bundle. @throws BundleError DISK */
  async remove(): Promise<void> {
    await this.close();
    for (const { path } of await findBegun(this.#moved)) await removeFile(path);
    // What somebody else has put there stays.
    await removeEmpty(dirname(this.#moved), dirname(this.#path));
  }
}

/** The path that a bundle has in the folder into which it is set aside. */
export function asidePath(path: string): string {
  const folder = `${basename(path, BUNDLE_SUFFIX)}.begun${PARTIAL_SUFFIX}`;
  return join(dirname(path), folder, basename(path));
}

async function bytesOf(files: readonly { readonly path: string }[]): Promise<number> {
  let total = 0;
  for (const { path } of files) total += (await sizeOf(path)) ?? 0;
  return total;
}

async function moveFile(from: string, to: string): Promise<void> {
  try {
    await isFileThere(to);
    await renameFile(from, to);
  } catch (error) {
    throw error instanceof BundleError ? error : writeError('move', from, error);
  }
}

/** A store behind a file that has some of its blobs. What the file gives is checked like the rest. */
class StoreBehind extends BeforeOrigin {
  readonly #reader: BundleReader;
  /** Who asks for one of these again, whole, has found the bytes of the file wrong. */
  readonly #given = new Set<Digest>();

  constructor(reader: BundleReader, origin: ReadOnlyStore) {
    super(origin);
    this.#reader = reader;
  }

  fetch(descriptor: Descriptor, options: FetchOptions = {}): ByteStream {
    const isAgain = this.#given.has(descriptor.digest) && options.range === undefined;
    if (isAgain) return this.origin.fetch(descriptor, options);
    this.#given.add(descriptor.digest);
    return continued(this.#reader.fetch(descriptor, options), this.origin, descriptor, options);
  }
}
