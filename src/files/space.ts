import { stat, statfs } from 'node:fs/promises';

import { BundleError, diskError, systemCode } from '../core/errors.ts';
import { existingFolder } from './folder.ts';

export interface Space {
  /** Bytes that are needed. */
  readonly needed: number;
  /** Bytes that are free for this user; quotas cannot be seen. */
  readonly free: number;
}

/**
 * Compares what is needed with what is free in a folder, counting files that will be written over
 * as free.
 * @throws BundleError DISK
 */
export async function checkSpace(
  folder: string,
  needed: number,
  replaced: readonly string[] = [],
): Promise<Space> {
  let free: number;
  try {
    const { bavail, bsize } = await statfs(await existingFolder(folder));
    free = bavail * bsize;
    for (const path of replaced) free += await sizeOf(path);
  } catch (error) {
    throw diskError('look at', folder, error);
  }
  if (free < needed) {
    throw new BundleError(
      'DISK',
      `not enough space in ${folder}: ${needed} bytes are needed, ${free} are free`,
      {
        expected: `${needed} bytes`,
        got: `${free} bytes`,
        hint: 'Free some space, or choose another folder.',
      },
    );
  }
  return { needed, free };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}
