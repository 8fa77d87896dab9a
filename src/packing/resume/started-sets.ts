import { basename, dirname, join, resolve } from 'node:path';

import { decodeSignatureFile } from '../../bundle/format/signature-file.ts';
import type { DescribedBundle, Seal } from '../../bundle/format/plan.ts';
import type { FinishedVolume } from '../../bundle/writing/writer.ts';
import { writeWhole } from '../../files/write-whole.ts';
import { type Digest, hexOf, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import {
  asArray,
  asObject,
  asSize,
  asString,
  formatJson,
  parseStrictJson,
} from '../../core/json.ts';
import { ifThere } from '../../files/look.ts';
import { prepareOwnFolder, removeFile } from '../../files/own-file.ts';
import { readSmallFile } from '../../files/small-file.ts';
import type { SigningKey } from '../../trust/keys.ts';
import { checkedSeal } from './begun.ts';
import type { Context } from '../../core/context.ts';

const MAX_SET_BYTES = 1024 * 1024;

/**
 * A set of volumes that is written to one medium after the other, as this user's own files remember
 * it. The volumes that are done may be anywhere by now: that they exist is believed; what is
 * written after them follows from the plan alone.
 */
export interface StartedSet {
  readonly seal: Seal;
  /** Bytes that a volume may have. */
  readonly volumeSize: number;
  /** Volumes that are finished, from the first on. */
  readonly done: readonly Pick<FinishedVolume, 'path' | 'digest'>[];
  /** How many volumes there are to be when the run that is under way, or was interrupted, ends. */
  readonly until: number;
  /** Whether its last volume is done: the next run begins the set again. */
  readonly isComplete: boolean;
}

/**
 * Reads the facts that are remembered about a set.
 * @returns nothing if there is none to go on with; of one that is complete, that is told
 * @throws BundleError USAGE when it is of other content, another key or another volume size;
 * CONFIGURATION when the file cannot be understood.
 */
export async function recallSet(
  { path, volumeSize }: { readonly path: string; readonly volumeSize: number },
  { bundleDigest, sums }: DescribedBundle,
  key: SigningKey,
  context: Context,
): Promise<StartedSet | undefined> {
  const file = setFile(path, context);
  const found = await readSet(file);
  if (found === undefined) return undefined;
  const { digest, ...set } = found;
  if (set.isComplete) {
    if (digest === bundleDigest && set.volumeSize === volumeSize) noticeComplete(set, context);
    return undefined;
  }
  const other = (what: string, goOn = ''): BundleError =>
    new BundleError('USAGE', `a set called ${basename(path)} was started ${what}`, {
      hint: `${goOn}${KEEP_BOTH} --restart starts it over. (It is remembered in ${file}.)`,
    });
  if (digest !== bundleDigest) throw other('with other content than what is packed now');
  if (set.volumeSize !== volumeSize) {
    const size = String(set.volumeSize);
    throw other(`with volumes of ${size} bytes`, `To go on with it: --volume-size ${size}. `);
  }
  const signature = decodeSignatureFile(set.seal.signature);
  if (signature === undefined) throw unreadable(file);
  checkedSeal({ seal: set.seal, sums, signature }, basename(path), key.public);
  return set;
}

/** Sets are told apart by their names alone: their media may be mounted anywhere. */
const KEEP_BOTH =
  'To make another one, and keep this, give it another name with --name, or as the file of -o.';

/** Whoever counts the media wrong shall not carry away a second first volume for the last one. */
function noticeComplete({ done }: Pick<StartedSet, 'done'>, { observe }: Context): void {
  const path = done.at(-1)!.path;
  observe({ type: 'noticed', code: 'set-again', volumes: done.length, path });
}

/**
 * Where the first volume of a set was written, if one is remembered. @throws BundleError
 * CONFIGURATION
 */
export async function firstOfSet(path: string, context: Context): Promise<string | undefined> {
  const set = await readSet(setFile(path, context));
  return set?.isComplete === true ? undefined : set?.done[0]?.path;
}

/**
 * A set of that name that is under way, for a run that does not go on with it.
 * @returns nothing also where the file cannot be understood: nothing hangs on it
 */
export async function setUnderWay(
  path: string,
  context: Context,
): Promise<Pick<StartedSet, 'done' | 'volumeSize'> | undefined> {
  const set = await readSet(setFile(path, context)).catch(() => undefined);
  return set === undefined || set.isComplete || set.done.length === 0 ? undefined : set;
}

export async function rememberSet(
  path: string,
  bundleDigest: Digest,
  set: StartedSet,
  context: Context,
): Promise<void> {
  const file = setFile(path, context);
  await prepareOwnFolder(dirname(file), 0o700);
  await writeWhole(
    file,
    formatJson({
      bundleDigest,
      volumeSize: set.volumeSize,
      until: set.until,
      complete: set.isComplete,
      signature: Buffer.from(set.seal.signature).toString(),
      publicKey: Buffer.from(set.seal.publicKey).toString(),
      done: set.done.map(({ path: volume, digest }) => ({
        path: resolve(volume),
        sha256: hexOf(digest),
      })),
    }),
  );
}

/**
 * Forgets a set that was completed by a run that named no number of volumes: one of its volumes was
 * written where they all are now. A set whose volumes went elsewhere is still under way.
 */
export async function forgetCompletedSet(
  path: string,
  bundleDigest: Digest,
  volumeSize: number,
  context: Context,
): Promise<void> {
  // A file that cannot be understood is no reason to call a bundle unfinished that is not.
  const set = await readSet(setFile(path, context)).catch(() => undefined);
  const isThis = set?.digest === bundleDigest && set.volumeSize === volumeSize;
  if (isThis && set.done.some((volume) => resolve(dirname(volume.path)) === resolve(dirname(path))))
    await removeFile(setFile(path, context));
}

function setFile(path: string, { configFolder }: Context): string {
  return join(configFolder, 'started-sets', `${basename(path)}.json`);
}

async function readSet(file: string): Promise<ReturnType<typeof parseSet> | undefined> {
  const content = await ifThere(readSmallFile(file, MAX_SET_BYTES));
  return content && parseSet(content, file);
}

function parseSet(content: Uint8Array, file: string): StartedSet & { readonly digest: Digest } {
  try {
    const set = asObject(parseStrictJson(content, file), file);
    return {
      digest: parseDigest(set['bundleDigest']),
      volumeSize: asSize(set['volumeSize'], 'volumeSize'),
      until: asSize(set['until'], 'until'),
      isComplete: set['complete'] === true,
      seal: {
        signature: Buffer.from(asString(set['signature'], 'signature')),
        publicKey: Buffer.from(asString(set['publicKey'], 'publicKey')),
      },
      done: asArray(set['done'], 'done').map((entry) => {
        const volume = asObject(entry, 'done');
        return {
          path: asString(volume['path'], 'path'),
          digest: parseDigest(`sha256:${asString(volume['sha256'], 'sha256')}`),
        };
      }),
    };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw unreadable(file, error);
  }
}

function unreadable(file: string, cause?: BundleError): BundleError {
  return new BundleError(
    'CONFIGURATION',
    `${file} cannot be read: it is damaged, or of another version`,
    {
      cause,
      hint: 'It remembers which volumes of a set are written. --restart starts the set over.',
    },
  );
}
