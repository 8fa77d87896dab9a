import type { StatsFs } from 'node:fs';
import { realpath, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

import { BundleError } from '../core/errors.ts';
import { exactBytes, folderText } from '../core/text.ts';
import { diskError } from './disk-error.ts';
import { existingFolder } from './folder.ts';
import { sizeOf } from './look.ts';

/**
 * The type that `statfs` reports for FAT: the kernel's MSDOS_SUPER_MAGIC (linux/magic.h). exFAT has
 * another number, and no such limit.
 */
const FAT = 0x4d44;

export interface Space {
  /** Bytes that are needed. */
  readonly needed: number;
  /** Bytes that are free for this user; quotas cannot be seen. */
  readonly free: number;
}

export interface SpaceOptions {
  /** Files that will be written over: what they take counts as free. */
  readonly replaced?: readonly string[];
  /** A sentence on what else the command offers where there is too little. */
  readonly otherWay?: string | undefined;
}

/**
 * Compares what is needed with what is free in a folder.
 * @throws BundleError DISK
 */
export async function checkSpace(
  folder: string,
  needed: number,
  { replaced = [], otherWay = '' }: SpaceOptions = {},
): Promise<Space> {
  const { bavail, bsize } = await fileSystemOf(folder);
  let free = bavail * bsize;
  for (const path of replaced) free += (await sizeOf(path)) ?? 0;
  if (free < needed) {
    throw new BundleError('DISK', `not enough space in ${folderText(folder)}`, {
      expected: `${exactBytes(needed)} to write`,
      got: `${exactBytes(free)} free`,
      hint: `Free some space, or choose another folder. ${otherWay}`.trim(),
    });
  }
  return { needed, free };
}

/** Whether a folder is on FAT, which holds no large files. @throws BundleError DISK */
export async function isOnFat(folder: string): Promise<boolean> {
  return (await fileSystemOf(folder)).type === FAT;
}

/** The file system that a folder is on. */
export interface Ground {
  /** The folder at which it is mounted. */
  readonly mountPoint: string;
  /** Bytes that are free for this user. */
  readonly free: number;
}

/** @param folder that exists. @throws BundleError DISK */
export async function groundOf(folder: string): Promise<Ground> {
  const { bavail, bsize } = await fileSystemOf(folder);
  return { mountPoint: await mountPointOf(folder), free: bavail * bsize };
}

/** Where the device changes on the way up. */
async function mountPointOf(folder: string): Promise<string> {
  try {
    let path = await realpath(folder);
    for (let above = dirname(path); above !== path; above = dirname(path)) {
      if ((await stat(above)).dev !== (await stat(path)).dev) break;
      path = above;
    }
    return path;
  } catch (error) {
    throw diskError('look at', folder, error);
  }
}

async function fileSystemOf(folder: string): Promise<StatsFs> {
  const existing = await existingFolder(folder);
  try {
    return await statfs(existing);
  } catch (error) {
    throw diskError('look at', folder, error);
  }
}
