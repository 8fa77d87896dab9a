import { readdir, readlink, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';

import { BundleError, systemCode } from '../core/errors.ts';
import { compareText } from '../core/text.ts';
import { diskError } from './disk-error.ts';
import { isFolder } from './look.ts';

/** Something in a folder that others have written. */
export interface FolderEntry {
  readonly name: string;
  readonly path: string;
  readonly type: 'file' | 'folder' | 'link' | 'other';
}

/** What a folder holds, sorted by name. @throws BundleError NOT_FOUND, DISK */
export async function entriesOf(folder: string): Promise<readonly FolderEntry[]> {
  try {
    const found = await readdir(folder, { withFileTypes: true });
    return found
      .map((entry): FolderEntry => {
        const type = entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'other';
        const path = join(folder, entry.name);
        return { name: entry.name, path, type: entry.isSymbolicLink() ? 'link' : type };
      })
      .sort((a, b) => compareText(a.name, b.name));
  } catch (error) {
    throw diskError('read the folder', folder, error);
  }
}

/** The text of a link, which nobody follows. @throws BundleError DISK */
export async function textOfLink(path: string): Promise<string> {
  try {
    return await readlink(path);
  } catch (error) {
    throw diskError('read', path, error);
  }
}

/** A folder that the user named, wherever links lead. @throws BundleError NOT_FOUND, DISK */
export async function realFolder(folder: string): Promise<string> {
  try {
    const path = await realpath(folder);
    if (await isFolder(path)) return path;
    throw Object.assign(new Error(`${folder} is no folder`), { code: 'ENOTDIR' });
  } catch (error) {
    throw error instanceof BundleError ? error : diskError('read the folder', folder, error);
  }
}

/**
 * Where something in a folder is, links followed; `undefined` as with {@link linkWithin}.
 * @param root that {@link realFolder} gave. @throws BundleError DISK
 */
export async function placeWithin(
  root: string,
  { path, type }: FolderEntry,
): Promise<string | undefined> {
  return type === 'link' ? linkWithin(root, path) : path;
}

/**
 * Where a link in a folder leads, as long as that is in the same folder; `undefined` for one that
 * leads out of it or nowhere.
 * @param root that {@link realFolder} gave. @throws BundleError DISK
 */
export async function linkWithin(root: string, path: string): Promise<string | undefined> {
  try {
    const target = await realpath(path);
    return target === root || target.startsWith(`${root}${root.endsWith(sep) ? '' : sep}`)
      ? target
      : undefined;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES'].includes(systemCode(error) ?? ''))
      return undefined;
    throw diskError('read', path, error);
  }
}
