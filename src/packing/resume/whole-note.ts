import { basename, join } from 'node:path';

import { bundleOfName, stemOf } from '../../bundle/format/names.ts';
import { BundleFile } from '../../bundle/reading/file.ts';
import { utf8 } from '../../core/bytes.ts';
import { type Digest, digestFromHex, Digester, hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { ifThere } from '../../files/look.ts';
import { isFileThere, removeFile } from '../../files/own-file.ts';
import { readSmallFile } from '../../files/small-file.ts';
import { writeWhole } from '../../files/write-whole.ts';
import { LOCKED } from '../beside-files.ts';
import { folderBeside } from './restart-folder.ts';

/** More than the names and digests of a thousand volumes. */
const MAX_NOTE_BYTES = 1024 * 1024;
const READ_BYTES = 1024 * 1024;
const LINE = /^([0-9a-f]{64}) {2}(.+)$/;

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
  const lines = files.map(({ name, digest }) => `${hexOf(digest)}  ${name}\n`);
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
  const lines = utf8(content).split('\n');
  const end = lines.pop();
  const files = lines.flatMap((line) => {
    const [, hex, name] = LINE.exec(line) ?? [];
    const isOwn = name !== undefined && bundleOfName(name)?.bundle === basename(path);
    return isOwn ? [{ name, digest: digestFromHex(hex!) }] : [];
  });
  if (end === '' && files.length > 0 && files.length === lines.length) return files;
  throw new BundleError('CONFIGURATION', `${file} is damaged, or of another version`, {
    hint:
      'It lists the files of a new bundle that was about to replace an older one. Move them ' +
      'from its folder to where they belong, and delete the folder; or delete it to start over.',
  });
}

export async function forgetNote(path: string): Promise<void> {
  await removeFile(notePath(path));
}

/** Whether a file has all its bytes, each as it was written. @throws BundleError DISK */
export async function isIntact(
  { name, digest }: WholeFile,
  folder: string,
  signal: AbortSignal,
): Promise<boolean> {
  const path = join(folder, name);
  return (await isFileThere(path)) && (await digestOfFile(path, signal)) === digest;
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
