import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';

import { BundleError, diskError, systemCode } from '../core/errors.ts';

/** What the system answers where there is nothing of a name. */
const NOTHING_THERE: readonly string[] = ['ENOENT', 'ENOTDIR'];

/** Whether something is there, wherever links lead. @throws BundleError DISK if nobody can tell. */
export async function isThere(path: string): Promise<boolean> {
  return (await lookAt(path)) !== undefined;
}

/** Whether a folder is there, wherever links lead. @throws BundleError DISK if nobody can tell. */
export async function isFolder(path: string): Promise<boolean> {
  return (await lookAt(path))?.isDirectory() ?? false;
}

/** Bytes of a file; `undefined` for one that is not there. @throws BundleError DISK */
export async function sizeOf(path: string): Promise<number | undefined> {
  const found = await lookAt(path);
  return found && Number(found.size);
}

/**
 * What a file is the same by under every name; `undefined` for one that is not there. @throws
 * BundleError DISK
 */
export async function identityOf(path: string): Promise<string | undefined> {
  const found = await lookAt(path);
  return found && `${found.dev} ${found.ino}`;
}

/**
 * What a reading gives; `undefined` where there is no such file or folder.
 * @param codes of the system that mean so.
 * @throws BundleError for everything else.
 */
export async function ifThere<T>(
  reading: Promise<T>,
  codes: readonly string[] = ['ENOENT'],
): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    if (codes.includes(systemCode(error.cause) ?? '')) return undefined;
    throw error;
  }
}

async function lookAt(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (NOTHING_THERE.includes(systemCode(error) ?? '')) return undefined;
    throw diskError('look at', path, error);
  }
}
