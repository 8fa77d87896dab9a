import { basename, dirname, join } from 'node:path';

import { BUNDLE_SUFFIX } from '../../bundle/format/names.ts';
import type { BundleReader } from '../../bundle/reading/reader.ts';
import { BundleError } from '../../core/errors.ts';
import { writeError } from '../../files/disk-error.ts';
import { removeEmpty } from '../../files/folder.ts';
import { sizeOf } from '../../files/look.ts';
import {
  isFileThere,
  renameFile,
  PARTIAL_SUFFIX,
  prepareOwnFolder,
  removeFile,
} from '../../files/own-file.ts';
import type { SigningKey } from '../../trust/keys.ts';
import type { PlannedBlob } from '../../transfer/plan.ts';
import { findBegun } from './begun.ts';
import { behind } from './behind.ts';
import { openSigned } from './begun-content.ts';

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
    await prepareOwnFolder(folder);
    for (const { path } of here) await moveFile(path, join(folder, basename(path)));
  }

  /** Takes what is in the folder before all that is fetched. */
  async before(blobs: readonly PlannedBlob[]): Promise<readonly PlannedBlob[]> {
    const reader = (this.#reader ??= await this.#open());
    if (reader === undefined) return blobs;
    const held = new Set(reader.layerDigests);
    return behind(blobs, (digest) => (held.has(digest) ? reader : undefined));
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
