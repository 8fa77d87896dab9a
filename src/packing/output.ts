import { basename, dirname, join, normalize, resolve } from 'node:path';

import { BUNDLE_SUFFIX, isBundleName, stemOf } from '../bundle/format/names.ts';
import { FAT32_MAX_FILE } from '../bundle/format/volume-sizes.ts';
import { BundleError } from '../core/errors.ts';
import type { Context } from '../core/context.ts';
import type { Notice } from '../core/events.ts';
import { existingFolder, listFolder, prepareFolder, removeEmpty } from '../files/folder.ts';
import { isFolder } from '../files/look.ts';
import { groundOf, isOnFat } from '../files/space.ts';

/**
 * Where a bundle is written: a folder, or the file itself, whose name is then that of the bundle.
 */
export interface Output {
  readonly folder: string;
  /** The name of the bundle, if the user named the file. */
  readonly name: string | undefined;
}

/**
 * Keeps a path as it was typed, so that reports, messages and commands name it so: nobody changes
 * the current folder while the program runs.
 * @param output a folder, or a file that is called like a bundle.
 * @param wanted the name that was asked for apart from it.
 * @throws BundleError USAGE for a name that no bundle can have, and for two names.
 */
export async function parseOutput(output: string, wanted?: string): Promise<Output> {
  const isFile = output.endsWith(BUNDLE_SUFFIX) && !(await isFolder(output));
  if (!isFile) {
    await refuseArchiveName(output);
    return { folder: typedPath(output), name: undefined };
  }
  const name = stemOf(output);
  checkName(name);
  if (wanted !== undefined && wanted !== name) {
    throw new BundleError('USAGE', `--name ${wanted} and -o ${output} both name the bundle`, {
      hint: 'Give one of them: -o with a folder, or no --name.',
    });
  }
  return { folder: dirname(typedPath(output)), name };
}

/** A path that begins with a dash would be an option in the commands that are printed. */
function typedPath(path: string): string {
  return path.startsWith('-') ? resolve(path) : normalize(path);
}

/** Where systems mount media, each in a folder of its own. */
const OF_MEDIA = /^\/(?:media|mnt|run\/media)(?:\/|$)/;

/**
 * Makes sure that there is a folder to write to, and tells of one that is not what it seems: a
 * medium that is not mounted is an empty folder of the host, or none. Neither is refused, since
 * somebody may keep bundles in a folder of the host under any name; but nobody should find out only
 * when the stick is empty. A folder that had to be made is told when it is known that it stays.
 * @returns what is to be told then.
 * @throws BundleError DISK
 */
export async function prepareOutput(
  { folder }: Output,
  { observe }: Pick<Context, 'observe'>,
): Promise<Notice | undefined> {
  const wasThere = await isFolder(folder);
  await prepareFolder(folder);
  const ground = await groundOf(folder);
  const isUnmounted = isForMedium(folder, ground.mountPoint);
  if (isUnmounted && (await listFolder(folder)).length === 0)
    observe({ type: 'noticed', code: 'nothing-mounted', folder, ...ground });
  if (wasThere || isUnmounted) return undefined;
  return { code: 'made-folder', folder, ...ground };
}

/**
 * Prepares a folder to write to, and works in it. Work that is refused leaves no empty folder
 * behind: those that were made for it go again.
 * @throws BundleError DISK, and what the work throws.
 */
export async function inOutput<T>(
  output: Output,
  context: Pick<Context, 'observe'>,
  work: () => Promise<T>,
): Promise<T> {
  const above = await existingFolder(output.folder);
  const made = await prepareOutput(output, context);
  try {
    return await work();
  } catch (error) {
    await removeEmpty(output.folder, above);
    throw error;
  } finally {
    if (made !== undefined && (await isFolder(output.folder)))
      context.observe({ type: 'noticed', ...made });
  }
}

/** Whether a folder is where media are mounted, and on no medium. */
export function isForMedium(folder: string, mountPoint: string): boolean {
  return OF_MEDIA.test(resolve(folder)) && !isMedium(mountPoint);
}

/** Whether what is mounted there is a medium. */
export function isMedium(mountPoint: string): boolean {
  return OF_MEDIA.test(mountPoint);
}

/** What is called like a file of another format is meant as a file, and would become a folder. */
const ARCHIVE_NAME = /\.(?:tar|tgz|txz|tbz2?|zip|gz|xz|bz2|zst|iso|img)$/i;

/** @throws BundleError USAGE */
async function refuseArchiveName(output: string): Promise<void> {
  if (!ARCHIVE_NAME.test(output) || (await isFolder(output))) return;
  throw new BundleError('USAGE', `-o ${output} is called like a file that is no bundle`, {
    expected: `a folder, or a file whose name ends with ${BUNDLE_SUFFIX}`,
    got: basename(output),
    hint: 'Give -o the folder: the file then gets the right name.',
  });
}

/** @throws BundleError USAGE */
export function checkName(name: string): void {
  if (isBundleName(name)) return;
  throw new BundleError('USAGE', `${JSON.stringify(name)} cannot be the name of a bundle`, {
    hint:
      'A name begins with a letter, a digit or _, not with a dot or a dash, and has at most 128 ' +
      'letters, digits, and characters of . _ + = -.',
  });
}

/** The path of a bundle, volume numbers left out. */
export function bundlePath({ folder }: Output, name: string): string {
  return join(folder, `${name}${BUNDLE_SUFFIX}`);
}

/**
 * The largest file that a folder's file system holds; `undefined` where no limit matters.
 * @throws BundleError DISK
 */
export async function largestFile(folder: string): Promise<number | undefined> {
  return (await isOnFat(folder)) ? FAT32_MAX_FILE : undefined;
}

/**
 * A file that was named has to be called as the bundle in it was signed.
 * @throws BundleError USAGE
 */
export function checkFileName({ name }: Output, signed: string): void {
  if (name === undefined || name === signed) return;
  throw new BundleError(
    'USAGE',
    `the file would be called ${name}, but its signed name is ${signed}`,
    {
      expected: `${signed}${BUNDLE_SUFFIX}`,
      got: `${name}${BUNDLE_SUFFIX}`,
      hint: 'Give -o a folder: the file then gets the right name.',
    },
  );
}
