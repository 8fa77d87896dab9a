import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { BUNDLE_SUFFIX } from '../bundle/format/names.ts';
import { FAT32_MAX_FILE } from '../bundle/format/volume-sizes.ts';
import { BundleError, diskError, systemCode } from '../core/errors.ts';
import { isFolder, makeFolder } from './folder.ts';

/**
 * Where a bundle is written: `output` itself if it is called like a bundle, else a file in the
 * folder `output`.
 */
export async function bundlePath(output: string, name: string): Promise<string> {
  const isFile = output.endsWith(BUNDLE_SUFFIX) && !(await isFolder(output));
  return isFile ? resolve(output) : join(resolve(output), `${name}${BUNDLE_SUFFIX}`);
}

/** The folder that {@link bundlePath} will write to. */
export async function bundleFolder(output: string): Promise<string> {
  return dirname(await bundlePath(output, 'bundle'));
}

/**
 * Makes sure that a folder exists and can be written to.
 * @param mode of the folders that have to be made.
 * @throws BundleError DISK
 */
export async function prepareFolder(folder: string, mode = 0o777): Promise<void> {
  try {
    await makeFolder(folder, mode);
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof BundleError) throw error;
    const code = systemCode(error) ?? 'unknown error';
    throw new BundleError('DISK', `cannot write to ${folder}: ${code}`, {
      cause: error,
      hint:
        code === 'EEXIST' || code === 'ENOTDIR'
          ? 'A part of the path is a file where a folder is needed.'
          : 'Name a folder that you may write to, or mount the medium first.',
    });
  }
}

export interface Space {
  /** Bytes that are needed. */
  readonly needed: number;
  /** Bytes that are free for this user; quotas cannot be seen. */
  readonly free: number;
}

/**
 * Compares what is needed with what is free in a folder, counting files that will be written over
 * as free.
 * @throws BundleError DISK
 */
export async function checkSpace(
  folder: string,
  needed: number,
  replaced: readonly string[] = [],
): Promise<Space> {
  let free: number;
  try {
    const { bavail, bsize } = await statfs(await existingFolder(folder));
    free = bavail * bsize;
    for (const path of replaced) free += await sizeOf(path);
  } catch (error) {
    throw diskError('look at', folder, error);
  }
  if (free < needed) {
    throw new BundleError(
      'DISK',
      `not enough space in ${folder}: ${needed} bytes are needed, ${free} are free`,
      {
        expected: `${needed} bytes`,
        got: `${free} bytes`,
        hint: 'Free some space, or choose another folder.',
      },
    );
  }
  return { needed, free };
}

/**
 * What `statfs` calls FAT: the kernel's MSDOS_SUPER_MAGIC (linux/magic.h). exFAT has another
 * number, and no such limit.
 */
const FAT = 0x4d44;

/**
 * The largest file that a folder's file system holds; `undefined` where no limit matters. @throws
 * BundleError DISK
 */
export async function largestFile(folder: string): Promise<number | undefined> {
  try {
    return (await statfs(await existingFolder(folder))).type === FAT ? FAT32_MAX_FILE : undefined;
  } catch (error) {
    throw diskError('look at', folder, error);
  }
}

/** The folder, or the nearest one above it that is there already. */
async function existingFolder(folder: string): Promise<string> {
  let existing = folder;
  while (!(await isFolder(existing)) && existing !== dirname(existing))
    existing = dirname(existing);
  return existing;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}
