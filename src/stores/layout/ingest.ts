import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ByteStream } from '../../core/bytes.ts';
import { systemCode } from '../../core/errors.ts';
import { diskError } from '../../files/disk-error.ts';
import { listFolder, makeFolder } from '../../files/folder.ts';
import { ifThere } from '../../files/look.ts';
import { onDisk } from '../../files/write-whole.ts';

/** The folder inside a layout where content is until it is whole. */
export const INGEST = 'ingest';

/**
 * A file being written is touched all the time; one that was not for so long was left by a run that
 * is gone.
 */
const LEFT_BEHIND_MS = 24 * 60 * 60 * 1000;

/**
 * Writes `content` to `path` inside the layout `dir`, so that the path holds all of it or is not
 * changed at all. Whatever `content` throws passes through.
 * @throws BundleError DISK when it cannot be written.
 */
export async function ingest(
  dir: string,
  path: string,
  content: ByteStream,
  signal?: AbortSignal,
): Promise<void> {
  const temporary = join(dir, INGEST, randomUUID());
  const write = <T>(work: () => Promise<T>): Promise<T> => onDisk('write', path, work);
  await write(() => makeFolder(join(dir, INGEST)));
  await write(() => makeFolder(dirname(path)));
  const file = await write(() => open(temporary, 'wx', 0o600));
  try {
    try {
      for await (const chunk of content) {
        signal?.throwIfAborted();
        await write(() => writeChunk(file, chunk));
      }
      signal?.throwIfAborted();
      await write(async () => {
        await file.chmod(0o444);
        await file.datasync();
      });
    } finally {
      await file.close();
    }
    await write(() => rename(temporary, path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Removes what runs that were killed have left in the layout `dir`. */
export async function removeLeftovers(dir: string): Promise<void> {
  const folder = join(dir, INGEST);
  const names = (await ifThere(listFolder(folder))) ?? [];
  try {
    for (const name of names) {
      const path = join(folder, name);
      if (Date.now() - (await stat(path)).mtimeMs > LEFT_BEHIND_MS) await rm(path, { force: true });
    }
  } catch (cause) {
    // Another run may have finished its file in between.
    if (systemCode(cause) !== 'ENOENT') throw diskError('clean', folder, cause);
  }
}

async function writeChunk(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += (await file.write(bytes, written)).bytesWritten;
  }
}
