import { dirname, join } from 'node:path';

import { type Digest, digestOf, hexOf } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import type { Observe } from '../../core/events.ts';
import { MAX_MANIFEST_BYTES } from '../../core/limits.ts';
import { parseManifest } from '../../core/manifest.ts';
import { isManifestType } from '../../core/media-types.ts';
import { listFolder } from '../../files/folder.ts';
import {
  ifThere,
  isFolder,
  isLink,
  isRegular,
  isThere,
  modifiedAt,
  sizeOf,
} from '../../files/look.ts';
import { prepareOwnFolder, refuseNoFolders, removeFile } from '../../files/own-file.ts';
import { readSmallFile } from '../../files/small-file.ts';
import { writeWhole } from '../../files/write-whole.ts';

/** Manifests of some tens of bundles: the images of one release have about 2 MiB. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;
/** A digest, in folders by its first two digits. */
const GROUP = /^[0-9a-f]{2}$/;
const NAME = /^[0-9a-f]{64}$/;
/** The type stands before the manifest, on a line of its own. */
const MAX_TYPE = 200;

/** A manifest, and the type that its registry gave it. */
export interface KeptManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What a folder of manifests holds, or has held. */
export interface KeptSize {
  readonly files: number;
  readonly bytes: number;
}

/**
 * Manifests that earlier runs have read, in a folder of the user's cache: a run that was ended while
 * it planned need not ask for them again. Nothing in it is believed: what is read is hashed. Where
 * the folder cannot be used, the run goes on without it.
 */
export class KeptManifests {
  readonly #folder: string;
  readonly #observe: Observe;
  readonly #limit: number;
  #isUsable = true;
  #hasNew = false;

  constructor(folder: string, observe: Observe, limit = MAX_KEPT_BYTES) {
    this.#folder = folder;
    this.#observe = observe;
    this.#limit = limit;
  }

  /** The manifest of a digest; `undefined` where it is not kept, or was changed. */
  async get(digest: Digest): Promise<KeptManifest | undefined> {
    if (!this.#isUsable) return undefined;
    const path = this.#pathOf(digest);
    try {
      await refuseNoFolders([dirname(path)]);
      const file = await ifThere(readSmallFile(path, MAX_MANIFEST_BYTES + MAX_TYPE));
      if (file === undefined) return undefined;
      const found = split(file);
      if (found !== undefined && digestOf(found.bytes) === digest && isOfItsType(found))
        return found;
      await removeFile(path);
    } catch (error) {
      this.#giveUp(error);
    }
    return undefined;
  }

  /** Keeps a manifest whose bytes were checked. */
  async put(digest: Digest, { mediaType, bytes }: KeptManifest): Promise<void> {
    if (!this.#isUsable || !isManifestType(mediaType)) return;
    const path = this.#pathOf(digest);
    try {
      await prepareOwnFolder(dirname(path), 0o700);
      const content = Buffer.concat([Buffer.from(`${mediaType}\n`), bytes]);
      await writeWhole(path, content, { mode: 0o600, isReplaceable: true });
      this.#hasNew = true;
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** Makes room, the oldest first, if this run has kept something. */
  async close(): Promise<void> {
    if (!this.#hasNew) return;
    try {
      const files = await filesIn(this.#folder);
      let left = files.reduce((sum, { size }) => sum + size, 0);
      const oldest = left > this.#limit ? files.toSorted((a, b) => a.written - b.written) : [];
      for (const { path, size } of oldest) {
        if (left <= this.#limit) break;
        await removeFile(path);
        left -= size;
      }
    } catch (error) {
      this.#giveUp(error);
    }
  }

  #pathOf(digest: Digest): string {
    const hex = hexOf(digest);
    return join(this.#folder, hex.slice(0, 2), hex);
  }

  #giveUp(error: unknown): void {
    if (!(error instanceof BundleError)) throw error;
    if (this.#isUsable) {
      const { message: cause } = error;
      this.#observe({ type: 'noticed', code: 'cache-unusable', folder: this.#folder, cause });
    }
    this.#isUsable = false;
  }
}

/** Removes all manifests that are kept in a folder. @throws BundleError DISK */
export async function clearKept(folder: string): Promise<KeptSize> {
  if ((await isThere(folder)) && !(await isFolder(folder))) {
    throw new BundleError('DISK', `${folder} is no folder: no manifest can be kept there`, {
      expected: 'a folder',
      got: (await isRegular(folder)) ? 'a file' : 'a pipe, a device or a socket',
      hint: 'Find out who has put it there, and remove it.',
      subject: folder,
    });
  }
  const files = await filesIn(folder);
  for (const { path } of files) await removeFile(path);
  return { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}

function split(file: Uint8Array): KeptManifest | undefined {
  const end = file.subarray(0, MAX_TYPE).indexOf(0x0a);
  const mediaType = Buffer.from(file.subarray(0, Math.max(end, 0))).toString('latin1');
  return isManifestType(mediaType) ? { mediaType, bytes: file.subarray(end + 1) } : undefined;
}

/** The digest does not cover the type: a manifest that says another one was not kept so. */
function isOfItsType({ mediaType, bytes }: KeptManifest): boolean {
  try {
    parseManifest(bytes, mediaType);
    return true;
  } catch (error) {
    if (hasCode(error, 'UNSUPPORTED_CONTENT')) return false;
    throw error;
  }
}

interface KeptFile {
  readonly path: string;
  readonly size: number;
  /** In ms. */
  readonly written: number;
}

/** Nothing else in the folder is touched. Another run may remove files meanwhile. */
async function filesIn(folder: string): Promise<readonly KeptFile[]> {
  const found: KeptFile[] = [];
  if (!(await isFolder(folder))) return found;
  for (const group of await listFolder(folder)) {
    const inner = join(folder, group);
    if (!GROUP.test(group) || (await isLink(inner)) || !(await isFolder(inner))) continue;
    for (const name of await listFolder(inner)) {
      if (!NAME.test(name)) continue;
      const path = join(inner, name);
      const size = await sizeOf(path);
      const written = await modifiedAt(path).catch(whereGone);
      if (size !== undefined && written !== undefined)
        found.push({ path, size, written: written.getTime() });
    }
  }
  return found;
}

function whereGone(error: unknown): undefined {
  if (!hasCode(error, 'NOT_FOUND')) throw error;
  return undefined;
}
