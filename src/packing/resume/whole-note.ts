import { basename, join } from 'node:path';

import { bundleOfName, stemOf } from '../../bundle/format/names.ts';
import { BundleFile } from '../../bundle/reading/file.ts';
import { utf8 } from '../../core/bytes.ts';
import { type Digest, Digester } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { ifThere } from '../../files/look.ts';
import { isFileThere, removeFile } from '../../files/own-file.ts';
import { readSmallFile } from '../../files/small-file.ts';
import { writeWhole } from '../../files/write-whole.ts';
import { formatFileSum, LOCKED, parseFileSums } from '../beside-files.ts';
import { folderBeside } from './restart-folder.ts';

/** More than the names and digests of a thousand volumes. */
const MAX_NOTE_BYTES = 1024 * 1024;
const READ_BYTES = 1024 * 1024;

/** A file of a new bundle that is whole. */
export interface WholeFile {
  readonly name: string;
  readonly digest: Digest;
}

/**
 * Notes that a new bundle is whole: from now on it takes the place of the older one, whatever
 * happens meanwhile. @throws BundleError DISK
 */
export async function writeNote(path: string, files: readonly WholeFile[]): Promise<void> {
  const lines = files.map(({ name, digest }) => formatFileSum(name, digest));
  await writeWhole(notePath(path), lines.join(''), LOCKED);
}

/**
 * The files of a new bundle that is whole, if one is being put in its place.
 * @throws BundleError DISK, CONFIGURATION for a note that cannot be understood
 */
export async function readNote(path: string): Promise<readonly WholeFile[] | undefined> {
  const file = notePath(path);
  if (!(await isFileThere(file))) return undefined;
  const content = await ifThere(readSmallFile(file, MAX_NOTE_BYTES));
  if (content === undefined) return undefined;
  const sums = [...(parseFileSums(utf8(content)) ?? [])];
  const isOwn = sums.every(([name]) => bundleOfName(name)?.bundle === basename(path));
  if (sums.length > 0 && isOwn) return sums.map(([name, digest]) => ({ name, digest }));
  throw new BundleError('CONFIGURATION', `${file} is damaged, or of another version`, {
    hint:
      'It lists the files of a new bundle that was about to replace an older one. Move them ' +
      'from its folder to where they belong, and delete the folder; or delete it to start over.',
  });
}

export async function forgetNote(path: string): Promise<void> {
  await removeFile(notePath(path));
}

/** @throws BundleError DISK */
export async function digestOfFile(path: string, signal: AbortSignal): Promise<Digest> {
  const file = await BundleFile.open(path);
  const digester = new Digester();
  try {
    for (;;) {
      signal.throwIfAborted();
      const bytes = await file.readUpTo(digester.size, READ_BYTES);
      if (bytes.length === 0) return digester.digest();
      digester.update(bytes);
    }
  } finally {
    await file.close();
  }
}

function notePath(path: string): string {
  return join(folderBeside(path), `${stemOf(path)}.whole`);
}
