import { randomUUID } from 'node:crypto';
import { type FileHandle, link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { ByteStream } from '../core/bytes.ts';
import { BundleError, systemCode } from '../core/errors.ts';
import { writeError } from './disk-error.ts';
import { createFile, isFileThere, PARTIAL_SUFFIX, renameFile, reopenFile } from './own-file.ts';

/**
 * The errors of file systems without hard links, such as FAT. There, a file is visible before it is
 * complete.
 */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

export interface WriteOptions {
  readonly mode?: number;
  /**
   * A lock keeps other runs from writing the file meanwhile. Then all runs give it one temporary
   * name, and what a killed run has left under that is replaced. Else each has a name of its own:
   * of two that write at once, none finds the other's file gone, or names it while it is not whole.
   */
  readonly isLocked?: boolean;
  /**
   * It can be made again, and nobody relies on it after a power cut: nothing waits until it is on
   * the disk.
   */
  readonly isReplaceable?: boolean;
}

/**
 * Writes a file whole or not at all: temporary name, sync, rename.
 * @throws BundleError DISK; what the content throws
 */
export async function writeWhole(
  path: string,
  content: Uint8Array | string | ByteStream,
  { mode = 0o644, isLocked = false, isReplaceable = false }: WriteOptions = {},
): Promise<void> {
  const temporary = isLocked ? `${path}${PARTIAL_SUFFIX}` : `${path}.${randomUUID()}`;
  await isFileThere(path);
  await onDisk('write', path, async () => {
    await fill(await createFile(temporary, mode), temporary, content, isReplaceable);
    try {
      await renameFile(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  });
  if (!isReplaceable) await syncFolder(dirname(path));
}

/**
 * Writes over a small file that cannot be replaced, since it is mounted by itself. It keeps its
 * mode.
 * @throws BundleError DISK
 */
export async function writeInPlace(path: string, content: string): Promise<void> {
  await onDisk('write', path, async () => {
    const file = await reopenFile(path);
    try {
      const bytes = Buffer.from(content);
      await file.write(bytes, 0, bytes.length, 0);
      await file.truncate(bytes.length);
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

/**
 * Writes a small file that is not there yet: nothing is ever overwritten. Whoever finds the file
 * finds it whole, since it gets its name when its content is there.
 * @throws BundleError; Error of the system, EEXIST where something has the name.
 */
export async function writeNew(
  path: string,
  content: Uint8Array | string,
  mode: number,
): Promise<void> {
  const partial = `${path}.${randomUUID()}`;
  try {
    await fill(await open(partial, 'wx', mode), partial, content);
    await link(partial, path);
  } catch (error) {
    if (!NO_LINKS.has(systemCode(error) ?? '')) throw error;
    await fill(await open(path, 'wx', mode), path, content);
  } finally {
    await rm(partial, { force: true });
  }
}

/** Writes a file that was just made, and closes it; what cannot be written whole is removed. */
async function fill(
  file: FileHandle,
  path: string,
  content: Uint8Array | string | ByteStream,
  isReplaceable = false,
): Promise<void> {
  try {
    if (typeof content === 'string' || content instanceof Uint8Array) await file.writeFile(content);
    else for await (const chunk of content) await file.writeFile(chunk);
    if (!isReplaceable) await file.sync();
  } catch (error) {
    await rm(path, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
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
