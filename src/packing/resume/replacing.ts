import { basename, dirname, join } from 'node:path';

import type { Context } from '../../core/context.ts';
import { removeEmpty } from '../../files/folder.ts';
import {
  isFileThere,
  PARTIAL_SUFFIX,
  prepareOwnFolder,
  refuseNoFolders,
  removeFile,
  renameFile,
} from '../../files/own-file.ts';
import { onDisk, syncFolder } from '../../files/write-whole.ts';
import { besideForms, listedDigests, refuseForeignBeside } from '../beside-files.ts';
import { type BegunFile, findBegun, refuseForeign } from './begun.ts';
import { folderBeside, pathBeside } from './restart-folder.ts';
import { asidePath } from './set-aside.ts';
import { forgetVolumeSize, refuseForeignVolumeSize } from './volume-size.ts';
import { digestOfFile, forgetNote, readNote, type WholeFile, writeNote } from './whole-note.ts';

/** A bundle's path, and whether a run starts over. */
interface Replacing {
  readonly path: string;
  readonly restart: boolean;
}

/**
 * Where a run writes a bundle: its own path, or one in a folder beside that. A finished one of its
 * name is not touched before the new one is whole: that grows in the folder. What is there of an
 * earlier start is continued, by a run that does not itself start over.
 * @throws BundleError DISK
 */
export async function placeOf({ path, restart }: Replacing): Promise<string> {
  await refuseNoFolders(foldersOf(path));
  const at = pathBeside(path);
  const isKept = restart
    ? (await findBegun(path)).some(({ isFinished }) => isFinished)
    : (await findBegun(at)).length > 0;
  return isKept ? at : path;
}

/**
 * Writes a bundle where it belongs, in place of a finished one only when it is whole. What a run
 * that was cut off while it replaced one has left to do is done first. The lock of the bundle is
 * held.
 * @throws BundleError USAGE where a file of somebody else would be replaced; DISK; what the work
 * throws
 */
export async function inItsPlace<T>(
  { path, restart }: Replacing,
  context: Pick<Context, 'observe' | 'signal'>,
  work: (at: string) => Promise<T>,
): Promise<T> {
  await endReplacing(path, context);
  const at = await placeOf({ path, restart });
  const folder = folderBeside(path);
  if (at === path) {
    if (restart) await dropBeside(path);
    return work(at);
  }
  await refuseOthers(path, await findBegun(path));
  await prepareOwnFolder(folder);
  try {
    const code = restart ? 'replaced-when-whole' : 'restart-continued';
    context.observe({ type: 'noticed', code, path });
    const result = await work(at);
    const whole = await wholeFiles(at, context.signal);
    await writeNote(path, whole);
    await putInPlace(path, whole);
    return result;
  } finally {
    await removeEmpty(folder, dirname(path));
  }
}

/** The finished files under a path. What has just been written is listed, and not read again. */
async function wholeFiles(at: string, signal: AbortSignal): Promise<readonly WholeFile[]> {
  const listed = await listedDigests(at);
  const files: WholeFile[] = [];
  for (const { path, isFinished } of await findBegun(at)) {
    if (!isFinished) continue;
    const name = basename(path);
    files.push({ name, digest: listed.get(name) ?? (await digestOfFile(path, signal)) });
  }
  return files;
}

/**
 * Goes on where a run was cut off while it put a new bundle in the place of the older one. What is
 * damaged meanwhile replaces nothing: the note is dropped, and the new bundle is mended first.
 * @throws BundleError USAGE where a file of somebody else would be replaced; DISK; CONFIGURATION
 */
async function endReplacing(
  path: string,
  { observe, signal }: Pick<Context, 'observe' | 'signal'>,
): Promise<void> {
  const folder = folderBeside(path);
  await refuseNoFolders(foldersOf(path));
  const whole = await readNote(path);
  if (whole === undefined) return;
  observe({ type: 'phase', what: `reading the new ${basename(path)} once more` });
  const waiting: WholeFile[] = [];
  for (const file of whole) if (await isFileThere(join(folder, file.name))) waiting.push(file);
  for (const file of waiting) {
    if ((await digestOfFile(join(folder, file.name), signal)) === file.digest) continue;
    await refuseForeign(await findBegun(pathBeside(path)));
    // Once some are moved the older bundle is gone, and the next run mends the new one there.
    if (waiting.length === whole.length) return forgetNote(path);
  }
  await putInPlace(path, whole);
}

/**
 * Puts a bundle that is whole in the place of the older one: each volume takes the name of its
 * predecessor, then what else is left of that goes. The note in the folder says what belongs to the
 * new bundle, until all of it is done.
 * @throws BundleError USAGE where a file of somebody else would be replaced, DISK
 */
async function putInPlace(path: string, whole: readonly WholeFile[]): Promise<void> {
  const [folder, target] = [folderBeside(path), dirname(path)];
  const names = whole.map(({ name }) => name);
  const there = await findBegun(path);
  await refuseOthers(path, there);
  await moveAll(names, folder, target);
  for (const file of there) if (!names.includes(basename(file.path))) await removeFile(file.path);
  await moveAll(
    besideForms(path).map((form) => basename(form.path)),
    folder,
    target,
  );
  await forgetVolumeSize(path);
  await dropFiles(asidePath(pathBeside(path)));
  await forgetNote(path);
  await removeEmpty(folder, target);
}

/** @throws BundleError USAGE for a file of somebody else at a name of the bundle, DISK */
async function refuseOthers(path: string, there: readonly BegunFile[]): Promise<void> {
  await refuseForeign(there);
  await refuseForeignBeside(path);
  await refuseForeignVolumeSize(path);
}

/** Moves what is there of some files, and waits until that is on the disk. @throws BundleError DISK */
async function moveAll(names: readonly string[], from: string, to: string): Promise<void> {
  for (const name of names) {
    const [old, made] = [join(to, name), join(from, name)];
    await isFileThere(old);
    if (await isFileThere(made)) await onDisk('move', made, () => renameFile(made, old));
  }
  await syncFolder(to);
}

/** Drops what an earlier start has left where there is no finished bundle to be kept any more. */
async function dropBeside(path: string): Promise<void> {
  const folder = folderBeside(path);
  const at = pathBeside(path);
  await dropFiles(asidePath(at));
  if (await dropFiles(at)) {
    for (const form of besideForms(at))
      for (const end of ['', PARTIAL_SUFFIX]) await removeFile(`${form.path}${end}`);
    await forgetVolumeSize(at);
  }
  await removeEmpty(folder, dirname(path));
}

/** @returns whether there were files of a bundle under a path, and are no more. */
async function dropFiles(path: string): Promise<boolean> {
  const begun = await findBegun(path);
  await refuseForeign(begun);
  for (const file of begun) await removeFile(file.path);
  await removeEmpty(dirname(path), dirname(dirname(path)));
  return begun.length > 0;
}

/** The folders that a run makes beside a bundle. */
function foldersOf(path: string): readonly string[] {
  const at = pathBeside(path);
  return [folderBeside(path), dirname(asidePath(path)), dirname(asidePath(at))];
}
