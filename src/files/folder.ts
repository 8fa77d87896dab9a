import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { diskError, systemCode } from '../core/errors.ts';

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

/** @throws BundleError DISK where nobody can tell. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return false;
    throw diskError('look at', path, error);
  }
}
