import { dirname } from 'node:path';

import { BundleError, systemCode } from '../core/errors.ts';
import { writeError } from './disk-error.ts';
import { prepareFolder } from './folder.ts';
import { sizeOf } from './look.ts';
import { isFileThere } from './own-file.ts';
import { readSmallFile } from './small-file.ts';
import { syncFolder, writeNew } from './write-whole.ts';

/**
 * Writes a file that somebody has named, and never over another one: a file that holds these very
 * bytes is left alone.
 * @returns whether it was written.
 * @throws BundleError USAGE for a file that holds something else; DISK, above all for a link.
 */
export async function writeOnce(path: string, content: Uint8Array): Promise<boolean> {
  await prepareFolder(dirname(path));
  if (await isFileThere(path)) return refuseOther(path, content);
  try {
    await writeNew(path, content, 0o644);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') {
      throw error instanceof BundleError ? error : writeError('write', path, error);
    }
    return refuseOther(path, content);
  }
  await syncFolder(dirname(path));
  return true;
}

/**
 * Tells early what {@link writeOnce} would tell late.
 * @param most bytes that will be written.
 * @throws BundleError USAGE for a file that surely holds something else; DISK for what is no file.
 */
export async function refuseTakenName(path: string, most: number): Promise<void> {
  if ((await isFileThere(path)) && ((await sizeOf(path)) ?? 0) > most) throw taken(path);
}

/**
 * Whether a file is there and holds these very bytes. Nothing is read of one that is longer.
 * @throws BundleError DISK, above all for a link.
 */
export async function holdsAlready(path: string, content: Uint8Array): Promise<boolean> {
  if (!(await isFileThere(path)) || (await sizeOf(path)) !== content.length) return false;
  return Buffer.from(content).equals(await readSmallFile(path, content.length));
}

async function refuseOther(path: string, content: Uint8Array): Promise<false> {
  if (!(await holdsAlready(path, content))) throw taken(path);
  return false;
}

function taken(path: string): BundleError {
  return new BundleError('USAGE', `${path} exists already, and holds something else`, {
    hint: 'Nothing was written to it: choose another name.',
  });
}
