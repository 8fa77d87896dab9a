import { join } from 'node:path';
import { streamOf } from '../../core/bytes.ts';
import { BundleError, hasCode, systemCode } from '../../core/errors.ts';
import { asObject, parseStrictJson } from '../../core/json.ts';
import { isDropping } from '../../files/droppings.ts';
import { checkFolderPath, listFolder, prepareFolder } from '../../files/folder.ts';
import { isThere } from '../../files/look.ts';
import { isFileThere, refuseNoFolders } from '../../files/own-file.ts';
import { readSmallFile } from '../../files/small-file.ts';
import { ingest, INGEST, removeLeftovers } from './ingest.ts';

/** OCI image-spec, image-layout.md: the value has not changed since version 1.0.0. */
const LAYOUT_VERSION = '1.0.0';
const MAX_MARKER_BYTES = 4096;
const EMPTY_INDEX = {
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.index.v1+json',
  manifests: [],
};

/**
 * Checks that `dir` is an image layout.
 * @throws BundleError NOT_FOUND for a path that does not exist, UNSUPPORTED_CONTENT for anything
 * but a layout of version 1.
 */
export async function requireLayout(dir: string): Promise<void> {
  await entriesOf(dir);
  let version;
  try {
    version = asObject(
      parseStrictJson(await readSmallFile(join(dir, 'oci-layout'), MAX_MARKER_BYTES), 'oci-layout'),
      'oci-layout',
    )['imageLayoutVersion'];
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) throw notALayout(dir, 'it has no file oci-layout');
    throw error;
  }
  if (version !== LAYOUT_VERSION)
    throw notALayout(dir, `its imageLayoutVersion is not ${LAYOUT_VERSION}`);
}

/**
 * Makes `dir` an image layout that is empty, unless it is a layout already.
 * @throws BundleError USAGE for a folder that holds something else, DISK when it cannot be written
 * or links lead out of it.
 */
export async function initialiseLayout(dir: string): Promise<void> {
  await prepareFolder(dir);
  await refuseNoFolders([INGEST, 'blobs', 'blobs/sha256'].map((name) => join(dir, name)));
  for (const name of ['oci-layout', 'index.json']) await isFileThere(join(dir, name));
  const entries = await entriesOf(dir);
  if (!isMarked(dir, entries)) {
    await ingest(dir, join(dir, 'oci-layout'), jsonFile({ imageLayoutVersion: LAYOUT_VERSION }));
  }
  if (!entries.includes('index.json'))
    await ingest(dir, join(dir, 'index.json'), jsonFile(EMPTY_INDEX));
  await removeLeftovers(dir);
}

/**
 * Whether `dir` is an image layout already, or one can be made there.
 * @throws BundleError USAGE for a folder that holds something else, DISK for a path with a file on
 * the way.
 */
export async function hasLayout(dir: string): Promise<boolean> {
  await checkFolderPath(dir);
  return (await isThere(dir)) && isMarked(dir, await entriesOf(dir));
}

function isMarked(dir: string, entries: readonly string[]): boolean {
  if (entries.includes('oci-layout')) return true;
  if (entries.every((name) => name === INGEST || isDropping(name))) return false;
  throw new BundleError('USAGE', `${dir} is not empty, and is not an image layout`, {
    hint: 'Name an empty folder, or one that does not exist yet.',
  });
}

async function entriesOf(dir: string): Promise<readonly string[]> {
  try {
    return await listFolder(dir);
  } catch (error) {
    const isFile = error instanceof BundleError && systemCode(error.cause) === 'ENOTDIR';
    throw isFile ? notALayout(dir, 'it is a file') : error;
  }
}

function jsonFile(value: unknown): AsyncGenerator<Uint8Array> {
  return streamOf(Buffer.from(JSON.stringify(value)));
}

function notALayout(dir: string, why: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `${dir} is not an image layout: ${why}`, {
    hint:
      'An image layout is a folder with oci-layout, index.json and blobs/ (OCI image-spec, ' +
      'image-layout.md).',
  });
}
