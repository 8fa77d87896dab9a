import { basename, dirname, join } from 'node:path';

import { bundleOfName, stemOf } from '../../bundle/format/names.ts';
import { utf8 } from '../../core/bytes.ts';
import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import { removeEmpty } from '../../files/folder.ts';
import { ifThere } from '../../files/look.ts';
import {
  isFileThere,
  PARTIAL_SUFFIX,
  prepareOwnFolder,
  refuseLinkedFolders,
  removeFile,
  renameFile,
} from '../../files/own-file.ts';
import { readSmallFile } from '../../files/small-file.ts';
import { onDisk, syncFolder, writeWhole } from '../../files/write-whole.ts';
import { besideForms, LOCKED, refuseForeignBeside } from '../beside-files.ts';
import { findBegun, refuseForeign } from './begun.ts';
import { asidePath } from './set-aside.ts';
import { forgetVolumeSize, refuseForeignVolumeSize } from './volume-size.ts';

/** More than the names of a thousand volumes. */
const MAX_NOTE_BYTES = 1024 * 1024;

/** A bundle's path, and whether a run starts over. */
interface Replacing {
  readonly path: string;
  readonly restart: boolean;
}

/**
 * Where a run writes a bundle: its own path, or one in a folder beside that. A finished one of its name is not touched before the new one is
 * whole: that grows in a folder beside it. What is there of an earlier start is continued, by a run
 * that does not itself start over.
 * @throws BundleError DISK
 */
export async function placeOf({ path, restart }: Replacing): Promise<string> {
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
  { observe }: Pick<Context, 'observe'>,
  work: (at: string) => Promise<T>,
): Promise<T> {
  await endReplacing(path);
  const at = await placeOf({ path, restart });
  const folder = folderBeside(path);
  if (at === path) {
    if (restart) await dropBeside(path);
    return work(at);
  }
  await refuseForeign(await findBegun(path));
  await refuseForeignBeside(path);
  await refuseForeignVolumeSize(path);
  await prepareOwnFolder(folder);
  try {
    observe({ type: 'noticed', code: restart ? 'replaced-when-whole' : 'restart-continued', path });
    const result = await work(at);
    const whole = (await findBegun(at)).filter(({ isFinished }) => isFinished);
    const names = whole.map((file) => `${basename(file.path)}\n`);
    await writeWhole(notePath(path), names.join(''), LOCKED);
    await endReplacing(path);
    return result;
  } finally {
    await removeEmpty(folder, dirname(path));
  }
}

/**
 * Puts a bundle that is whole in the place of the older one: each volume takes the name of its
 * predecessor, then what else is left of that goes. The note in the folder says what belongs to the
 * new bundle, until all of it is done.
 * @throws BundleError DISK, CONFIGURATION for a note that cannot be understood
 */
async function endReplacing(path: string): Promise<void> {
  const folder = folderBeside(path);
  await refuseLinkedFolders([folder]);
  const names = await readNote(path);
  if (names === undefined) return;
  const target = dirname(path);
  await moveAll(names, folder, target);
  const others = (await findBegun(path)).filter((file) => !names.includes(basename(file.path)));
  await refuseForeign(others);
  for (const file of others) await removeFile(file.path);
  await moveAll(
    besideForms(path).map((form) => basename(form.path)),
    folder,
    target,
  );
  await forgetVolumeSize(path);
  await dropFiles(asidePath(pathBeside(path)));
  await removeFile(notePath(path));
  await removeEmpty(folder, target);
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
  await refuseLinkedFolders([folder]);
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

/** The names of the files of a new bundle that is whole, if one is being put in its place. */
async function readNote(path: string): Promise<readonly string[] | undefined> {
  const file = notePath(path);
  if (!(await isFileThere(file))) return undefined;
  const content = await ifThere(readSmallFile(file, MAX_NOTE_BYTES));
  const names = content && utf8(content).split('\n').slice(0, -1);
  if (names?.every((name) => bundleOfName(name)?.bundle === basename(path)) !== true)
    throw new BundleError('CONFIGURATION', `${file} is damaged, or of another version`, {
      hint:
        'It lists the files of a new bundle that was about to replace an older one. Move them ' +
        'from its folder to where they belong, and delete the folder; or delete it to start over.',
    });
  return names;
}

function folderBeside(path: string): string {
  return join(dirname(path), `${stemOf(path)}.restart${PARTIAL_SUFFIX}`);
}

function pathBeside(path: string): string {
  return join(folderBeside(path), basename(path));
}

function notePath(path: string): string {
  return join(folderBeside(path), `${stemOf(path)}.whole`);
}
