import { basename, dirname, join } from 'node:path';

import { BundleFile } from '../../bundle/reading/file.ts';
import { piecesIn } from '../../bundle/reading/found-volumes.ts';
import { type FoundHead, readFrontHead, readHeadCopy } from '../../bundle/reading/head.ts';
import { bundleOfName, volumeNames } from '../../bundle/format/names.ts';
import type { BundlePlan, DescribedBundle, Seal } from '../../bundle/format/plan.ts';
import { beginsAsVolume, type Cut, VOLUME_START_BYTES } from '../../bundle/format/tail.ts';
import { listFolder } from '../../files/folder.ts';
import { ifThere } from '../../files/look.ts';
import { isFileThere, PARTIAL_SUFFIX, removeFile } from '../../files/own-file.ts';
import { digestOf } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { counted } from '../../core/text.ts';
import type { SignerKey } from '../../trust/keys.ts';
import { otherContent } from './other-content.ts';
import { shownName } from './restart-folder.ts';

const HINT = '--restart replaces it; with another folder you keep both.';

/** A file that an earlier run has left under a bundle's name. */
export interface BegunFile {
  readonly path: string;
  /** The final name of the volume. */
  readonly volumePath: string;
  /** Which volume it is, from 1. */
  readonly number: number;
  readonly isFinished: boolean;
}

/**
 * Finds the files of a bundle that exist, finished or not; an unfinished file comes before a
 * finished one of the same volume.
 * @throws BundleError DISK, also for what has such a name and is no file.
 */
export async function findBegun(path: string): Promise<readonly BegunFile[]> {
  const folder = dirname(path);
  const names = (await ifThere(listFolder(folder))) ?? [];
  const files = names.flatMap((name): BegunFile[] => {
    const isFinished = !name.endsWith(PARTIAL_SUFFIX);
    const volume = isFinished ? name : name.slice(0, -PARTIAL_SUFFIX.length);
    const named = bundleOfName(volume);
    if (named?.bundle !== basename(path)) return [];
    return [
      {
        path: join(folder, name),
        volumePath: join(folder, volume),
        number: named.number ?? 1,
        isFinished,
      },
    ];
  });
  for (const file of files) await isFileThere(file.path);
  return files.sort((a, b) => a.number - b.number || Number(a.isFinished) - Number(b.isFinished));
}

/**
 * What an earlier run has left is continued, or dropped. What does not even begin as this
 * program's files do is somebody's own.
 * @throws BundleError USAGE
 */
export async function refuseForeign(files: readonly BegunFile[]): Promise<void> {
  for (const { path, isFinished } of files) {
    const start = await startOf(path);
    // What has just been made, or lost its bytes when the power went, is empty or full of zeros. A
    // finished file was on the disk before it got its name.
    const isLost = start.length === 0 || (!isFinished && start.every((byte) => byte === 0));
    if (isLost || beginsAsVolume(start)) continue;
    throw new BundleError('USAGE', `${path} exists already, and is no part of a bundle`, {
      hint: 'Nothing deletes it, --restart neither: move it away, or choose another folder.',
    });
  }
}

async function startOf(path: string): Promise<Uint8Array> {
  const file = await BundleFile.open(path);
  try {
    return await file.readUpTo(0, VOLUME_START_BYTES);
  } finally {
    await file.close();
  }
}

/**
 * The signature that a bundle was begun with: only with the same one can the bundle be continued.
 * @returns `undefined` when nothing is there, or not even a head is whole: one that names this key,
 * and has not been signed by it, is damaged.
 * @throws BundleError USAGE when what is there is no bundle, holds other content, or was signed
 * with another key.
 */
export async function sealOf(
  files: readonly BegunFile[],
  asked: Pick<DescribedBundle, 'bundleDigest' | 'manifest' | 'sums'>,
  key: SignerKey,
): Promise<Seal | undefined> {
  for (const { path, number, isFinished } of files) {
    const head = await headOf(path, number);
    if (head === undefined || isDamaged(head, key)) {
      if (isFinished && number === 1 && head === undefined)
        throw new BundleError('USAGE', `${path} exists already, and is not a bundle`, {
          hint: HINT,
        });
      continue;
    }
    if (digestOf(head.sums) !== asked.bundleDigest) {
      throw await otherContent({ path, isFinished, sums: head.sums }, asked);
    }
    return checkedSeal(head, shownName(path), key);
  }
  return undefined;
}

/** A seal that this key has made. @throws BundleError USAGE, SIGNATURE_INVALID */
export function checkedSeal(
  { seal, sums, signature }: FoundHead,
  what: string,
  key: SignerKey,
): Seal {
  if (key.pem !== Buffer.from(seal.publicKey).toString()) {
    throw new BundleError('USAGE', `${what} was signed with another key`, {
      expected: key.id,
      hint: HINT,
    });
  }
  key.verify(sums, signature);
  return seal;
}

function isDamaged({ seal, sums, signature }: FoundHead, key: SignerKey): boolean {
  if (key.pem !== Buffer.from(seal.publicKey).toString()) return false;
  try {
    key.verify(sums, signature);
    return false;
  } catch (error) {
    if (hasCode(error, 'SIGNATURE_INVALID')) return true;
    throw error;
  }
}

/**
 * Makes sure that what is there is cut as the plan is.
 * @throws BundleError USAGE
 */
export async function checkCut(
  path: string,
  files: readonly BegunFile[],
  plan: BundlePlan,
): Promise<void> {
  const names = volumeNames(path, plan.volumes.length);
  for (const file of files) {
    const planned = plan.volumes[file.number - 1];
    const cut = await cutOf(file);
    if (
      names.includes(file.volumePath) &&
      planned !== undefined &&
      (cut === undefined || isSame(cut, planned.record))
    )
      continue;
    throw new BundleError('USAGE', `${shownName(file.path)} ${otherCut(path, file, plan)}`, {
      hint: cutHint(path, file),
    });
  }
}

/** How what is there is cut, and how it would be cut now. */
function otherCut(path: string, { volumePath }: BegunFile, { volumes }: BundlePlan): string {
  if (volumePath === path) {
    return (
      'is a bundle in one file, and --volume-size now asks for ' + counted(volumes.length, 'volume')
    );
  }
  return volumes.length === 1
    ? 'belongs to a bundle in volumes, and one file is asked for now'
    : 'belongs to a bundle in volumes of another size than --volume-size now asks for';
}

function cutHint(path: string, { volumePath }: BegunFile): string {
  const keep =
    volumePath === path
      ? 'To continue or keep it, leave out --volume-size. '
      : 'To continue or keep it, give the same --volume-size as before. ';
  return keep + HINT;
}

export async function removeBegun(files: readonly BegunFile[]): Promise<void> {
  for (const { path } of files) await removeFile(path);
}

async function headOf(path: string, number: number): Promise<FoundHead | undefined> {
  return readFrom(path, async (file) => {
    const source = { file, start: 0 };
    return number === 1 ? readFrontHead(source) : readHeadCopy(source, 0);
  });
}

/** The part of the tar that a volume says it holds; `undefined` when it does not say so yet. */
async function cutOf({ path, number, isFinished }: BegunFile): Promise<Cut | undefined> {
  return readFrom(path, async (file) => {
    if (number > 1) return (await readHeadCopy({ file, start: 0 }, 0)).record;
    return isFinished ? (await piecesIn(file))[0]?.ending?.record : undefined;
  });
}

async function readFrom<T>(
  path: string,
  read: (file: BundleFile) => Promise<T>,
): Promise<T | undefined> {
  const file = await BundleFile.open(path);
  try {
    return await read(file);
  } catch (error) {
    // Not even begun, or damaged: it will be written again.
    if (hasCode(error, 'BUNDLE_UNUSABLE')) return undefined;
    throw error;
  } finally {
    await file.close();
  }
}

function isSame(a: Cut, b: Cut): boolean {
  return a.tarOffset === b.tarOffset && a.tarLength === b.tarLength;
}
