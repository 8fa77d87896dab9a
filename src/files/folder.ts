import { access, constants, mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { BundleError, systemCode } from '../core/errors.ts';
import { folderText } from '../core/text.ts';
import { diskError, writeError } from './disk-error.ts';
import { isFolder, isLink, isThere } from './look.ts';

/**
 * Makes a folder, and those above it that are missing. Node's own recursive mkdir never ends where
 * a folder that exists answers that there is no such file, as those in /proc do.
 * @param mode of the folders that have to be made.
 * @throws what the system says.
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<void> {
  const path = resolve(folder);
  if (await isFolder(path)) return;
  if (dirname(path) !== path) await makeFolder(dirname(path), mode);
  try {
    await mkdir(path, mode);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST' || !(await isFolder(path))) throw error;
  }
}

/** The names in a folder, sorted. @throws BundleError NOT_FOUND, DISK */
export async function listFolder(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    throw diskError('read the folder', folder, error);
  }
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
    throw (await leadingNowhere(folder)) ?? unwritable(folder, error);
  }
}

/** Makes sure that a file can be made where a user has named one. @throws BundleError DISK */
export async function refuseMissingFolder(path: string): Promise<void> {
  if (await isFolder(dirname(resolve(path)))) return;
  throw new BundleError('DISK', `cannot write ${path}: its folder does not exist`, {
    hint: 'Create the folder first.',
  });
}

/**
 * Makes sure that nothing but a folder is at a path, nor on the way to it, and makes none.
 * @throws BundleError DISK, the same as {@link prepareFolder}.
 */
export async function checkFolderPath(folder: string): Promise<void> {
  const lost = await leadingNowhere(folder);
  if (lost !== undefined) throw lost;
  let path = resolve(folder);
  while (!(await isThere(path)) && path !== dirname(path)) path = dirname(path);
  if (await isFolder(path)) return;
  throw unwritable(folder, noFolder(new Error(`${path} is no folder`)));
}

/** A link to nothing is nothing that a folder could be made beside, and looks like no file either. */
async function leadingNowhere(folder: string): Promise<BundleError | undefined> {
  let path = resolve(folder);
  while (!(await isThere(path)) && path !== dirname(path)) {
    if (await isLink(path)) {
      const why = `${path} is a symbolic link to something that does not exist`;
      return new BundleError('DISK', `cannot write to ${folder}: ${why}`, {
        hint: 'Mount or make what the link leads to, or remove the link.',
      });
    }
    path = dirname(path);
  }
  return undefined;
}

function unwritable(folder: string, cause: unknown): BundleError {
  const name = folderText(folder);
  // To make a folder where a file is, is answered so.
  const isFile = systemCode(cause) === 'EEXIST' || systemCode(cause) === 'ENOTDIR';
  return isFile
    ? writeError('write to', name, noFolder(cause))
    : writeError('write to', name, cause).withHint(
        'Name a folder that you may write to, or mount the medium first.',
      );
}

function noFolder(cause: unknown): Error {
  return Object.assign(new Error('no folder', { cause }), { code: 'ENOTDIR' });
}

/**
 * Removes a folder, and those above it up to one that stays, as far as they are empty. What cannot
 * be removed stays: an empty folder is no reason to fail.
 * @param above is a folder above it, or the folder itself.
 */
export async function removeEmpty(folder: string, above: string): Promise<void> {
  for (let path = resolve(folder); path !== resolve(above); path = dirname(path)) {
    try {
      await rmdir(path);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return;
    }
  }
}

/** The folder, or the nearest one above it that is there already. */
export async function existingFolder(folder: string): Promise<string> {
  let existing = folder;
  while (!(await isFolder(existing)) && existing !== dirname(existing))
    existing = dirname(existing);
  return existing;
}

/**
 * Removes files that a run has written into a folder, with their own folders, as far as it can: what
 * others have put there stays. A failure is not told, since the one that came before it is.
 * @param paths of the files in the folder.
 * @param wasThere whether the folder itself has to stay.
 */
export async function removeWritten(
  folder: string,
  paths: readonly string[],
  wasThere: boolean,
): Promise<void> {
  for (const path of paths) await rm(join(folder, path)).catch(() => undefined);
  const folders = new Set(paths.map((path) => dirname(path)).filter((path) => path !== '.'));
  for (const path of folders) await rmdir(join(folder, path)).catch(() => undefined);
  if (!wasThere) await rmdir(folder).catch(() => undefined);
}
