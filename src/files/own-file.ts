import type { Stats } from 'node:fs';
import { constants, type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';

import { BundleError, systemCode } from '../core/errors.ts';
import { diskError, writeError } from './disk-error.ts';
import { prepareFolder } from './folder.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, O_NONBLOCK } = constants;

/** The name of an unfinished file is its final name and this suffix. */
export const PARTIAL_SUFFIX = '.partial';

/**
 * Creates a file for writing and reading back; an existing file of that name is removed first.
 * @throws BundleError DISK for anything there that is no file, above all a link; Error of the
 * system.
 */
export async function createFile(path: string, mode = 0o644): Promise<FileHandle> {
  if (await isFileThere(path)) await rm(path);
  return open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
}

/**
 * Opens a file that an earlier run has made, to continue it.
 * @throws BundleError DISK for anything there that is no file, above all a link; Error of the
 * system.
 */
export async function reopenFile(path: string): Promise<FileHandle> {
  // Says what is there; opening makes sure that it is not exchanged meanwhile.
  await isFileThere(path);
  const file = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw noFile(path, 'no file');
}

/**
 * Gives a file that was written its name, in place of what has that name.
 * @throws BundleError DISK for anything that is no file, above all a link; Error of the system.
 */
export async function renameFile(from: string, to: string): Promise<void> {
  await isFileThere(from);
  await rename(from, to);
}

/** Removes a file, if it is there. @throws BundleError DISK */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw writeError('remove', path, error);
  }
}

/**
 * Whether there is a file under a name.
 * @throws BundleError DISK for anything there that is no file, above all a link: what this program
 * makes it makes itself, and writes nowhere else.
 */
export async function isFileThere(path: string): Promise<boolean> {
  const found = await entryAt(path);
  if (found === undefined) return false;
  if (found.isFile()) return true;
  throw foreignEntry(path, found, found.isDirectory() ? 'a folder' : 'no file');
}

/**
 * Makes sure that what this program makes as a folder is one, or is not there yet. A link is none:
 * what is written there would land somewhere else. @throws BundleError DISK
 */
export async function refuseNoFolders(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const found = await entryAt(path);
    if (found?.isDirectory() === false) throw foreignEntry(path, found, 'no folder');
  }
}

/** Makes a folder that this program names, and never through a link. @throws BundleError DISK */
export async function prepareOwnFolder(path: string, mode?: number): Promise<void> {
  await refuseNoFolders([path]);
  await prepareFolder(path, mode);
}

/** What a path names itself, wherever links lead. @throws BundleError DISK */
async function entryAt(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw diskError('look at', path, error);
  }
}

function foreignEntry(path: string, found: Stats, what: string): BundleError {
  return noFile(path, found.isSymbolicLink() ? 'a symbolic link' : what);
}

/** The error for something else at the place of a file of this program. */
function noFile(path: string, what: string): BundleError {
  return new BundleError('DISK', `${path} is ${what}: nothing was written to it`, {
    expected: 'what this program made, or nothing',
    got: what,
    hint:
      'Find out who has put it there, remove it and run the same command again; ' +
      'or choose another folder.',
  });
}
