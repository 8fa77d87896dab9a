import type { BigIntStats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';

import { BundleError, systemCode } from '../core/errors.ts';
import { diskError } from './disk-error.ts';

/** The error codes of the system for a name that does not exist. */
const NOTHING_THERE: readonly string[] = ['ENOENT', 'ENOTDIR'];

/** Whether something is there, wherever links lead. @throws BundleError DISK if nobody can tell. */
export async function isThere(path: string): Promise<boolean> {
  return (await lookAt(path)) !== undefined;
}

/** Whether a folder is there, wherever links lead. @throws BundleError DISK if nobody can tell. */
export async function isFolder(path: string): Promise<boolean> {
  return (await lookAt(path))?.isDirectory() ?? false;
}

/**
 * Whether a regular file is there, wherever links lead, and not a pipe, a folder or a link to
 * nothing. @throws BundleError DISK if nobody can tell.
 */
export async function isRegular(path: string): Promise<boolean> {
  return (await ifThere(lookAt(path), ['ELOOP']))?.isFile() ?? false;
}

/** Whether a symbolic link is there, wherever it leads. @throws BundleError DISK */
export async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (NOTHING_THERE.includes(systemCode(error) ?? '')) return false;
    throw diskError('look at', path, error);
  }
}

/** Bytes of a file; `undefined` for one that is not there. @throws BundleError DISK */
export async function sizeOf(path: string): Promise<number | undefined> {
  const found = await lookAt(path);
  return found && Number(found.size);
}

/** The same of a file that is there itself, and not a link to it. @throws BundleError DISK */
export async function ownSizeOf(path: string): Promise<number | undefined> {
  return (await isLink(path)) ? undefined : sizeOf(path);
}

/**
 * The identity of a file, the same under each of its names; `undefined` if it does not exist.
 * @throws BundleError DISK
 */
export async function identityOf(path: string): Promise<string | undefined> {
  const found = await lookAt(path);
  return found && `${found.dev} ${found.ino}`;
}

/**
 * The result of a reading; `undefined` if there is no such file or folder.
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

/** When a file was last written, or a link to one made. @throws BundleError DISK, NOT_FOUND */
export async function modifiedAt(path: string): Promise<Date> {
  try {
    return (await lstat(path)).mtime;
  } catch (error) {
    throw diskError('look at', path, error);
  }
}
