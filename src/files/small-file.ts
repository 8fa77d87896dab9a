import { readFile, stat } from 'node:fs/promises';

import { BundleError, diskError } from '../core/errors.ts';

/**
 * A small file, whole.
 * @throws BundleError NOT_FOUND, DISK; CONFIGURATION when it is larger than `limit` bytes.
 */
export async function readSmallFile(path: string, limit: number): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size <= limit) return await readFile(path);
  } catch (error) {
    throw diskError('read', path, error);
  }
  throw new BundleError('CONFIGURATION', `${path} is larger than ${limit} bytes`, {
    hint: 'It is not the kind of file that it should be.',
  });
}
