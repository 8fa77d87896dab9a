import { constants, type FileHandle, open } from 'node:fs/promises';

import { systemCode } from '../../core/errors.ts';

const { O_RDONLY, O_NONBLOCK } = constants;

/**
 * Opens a file to be read, wherever links lead, and never waits for the other end of a pipe.
 * @returns `undefined` for what is there and holds no bytes of its own: a pipe, a device, a socket.
 * @throws what the system says; EISDIR for a folder.
 */
export async function openRegular(
  path: string,
): Promise<{ readonly file: FileHandle; readonly size: number } | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, O_RDONLY | O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENXIO') return undefined; // a socket, or a device without a driver
    throw error;
  }
  try {
    const found = await file.stat();
    if (found.isFile()) return { file, size: found.size };
    if (found.isDirectory())
      throw Object.assign(new Error(`${path} is a folder`), { code: 'EISDIR' });
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}
