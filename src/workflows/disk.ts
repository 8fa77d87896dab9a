import { access, constants, mkdir, readFile, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { PARTIAL_SUFFIX } from '../bundle/writer.ts';
import { BundleError, diskError, systemCode } from '../core/errors.ts';

/** What bundles are called. */
export const BUNDLE_SUFFIX = '.tar.zst';

/** Where a bundle is written: `output` itself if it is called like a bundle, else a file in the folder `output`. */
export async function bundlePath(output: string, name: string): Promise<string> {
  const isFile = output.endsWith(BUNDLE_SUFFIX) && !(await isFolder(output));
  return isFile ? resolve(output) : join(resolve(output), `${name}${BUNDLE_SUFFIX}`);
}

/** The folder that {@link bundlePath} will write to. */
export async function bundleFolder(output: string): Promise<string> {
  return dirname(await bundlePath(output, 'bundle'));
}

/** Makes sure that a folder exists and can be written to. @throws BundleError DISK */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = systemCode(error) ?? 'unknown error';
    throw new BundleError('DISK', `cannot write to ${folder}: ${code}`, {
      cause: error,
      hint: 'Name a folder that you may write to, or mount the medium first.',
    });
  }
}

/**
 * A small file, whole.
 * @throws BundleError NOT_FOUND, DISK; CONFIGURATION when it is larger than `limit` bytes.
 */
export async function readSmallFile(path: string, limit: number): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size <= limit) return await readFile(path);
  } catch (error) {
    throw diskError('read', path, error);
  }
  throw new BundleError('CONFIGURATION', `${path} is larger than ${limit} bytes`, {
    hint: 'It is not the kind of file that it should be.',
  });
}

export interface Space {
  /** Bytes that are needed. */
  readonly needed: number;
  /** Bytes that are free for this user; quotas cannot be seen. */
  readonly free: number;
}

/**
 * Compares what is needed with what is free where `path` will be written, counting what it would replace as free.
 * @throws BundleError DISK
 */
export async function checkSpace(path: string, needed: number): Promise<Space> {
  let free: number;
  try {
    const { bavail, bsize } = await statfs(await existingFolder(dirname(path)));
    free = bavail * bsize + (await sizeOf(`${path}${PARTIAL_SUFFIX}`));
  } catch (error) {
    throw diskError('look at', dirname(path), error);
  }
  if (free < needed) {
    throw new BundleError('DISK', `not enough space in ${dirname(path)}: ${needed} bytes are needed, ${free} are free`, {
      expected: `${needed} bytes`,
      got: `${free} bytes`,
      hint: 'Free some space, or choose another folder.',
    });
  }
  return { needed, free };
}

/** The folder, or the nearest one above it that is there already. */
async function existingFolder(folder: string): Promise<string> {
  let existing = folder;
  while (!(await isFolder(existing)) && existing !== dirname(existing)) existing = dirname(existing);
  return existing;
}

export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return false;
    throw diskError('look at', path, error);
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}
