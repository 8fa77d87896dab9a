import { open } from 'node:fs/promises';
import { dirname } from 'node:path';

import { BundleError, writeError } from '../core/errors.ts';
import { createFile, PARTIAL_SUFFIX, renameFile } from './own-file.ts';

/**
 * Writes a small file whole or not at all: temporary name, sync, rename. @throws BundleError DISK
 */
export async function writeWhole(
  path: string,
  content: Uint8Array | string,
  mode = 0o644,
): Promise<void> {
  await onDisk('write', path, async () => {
    const temporary = `${path}${PARTIAL_SUFFIX}`;
    const file = await createFile(temporary, mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await renameFile(temporary, path);
  });
  await syncFolder(dirname(path));
}

/**
 * A renamed file survives a power cut only when its folder has been synced too; some file systems
 * cannot, and need not.
 */
export async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch {
    // FAT and network file systems refuse to sync a folder; the file itself is on the medium
    // already.
  }
}

/** Runs `work`, and says what was done where it fails. @throws BundleError DISK */
export async function onDisk<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof BundleError ? error : writeError(action, path, error);
  }
}
