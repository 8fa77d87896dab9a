import { dirname } from 'node:path';

import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { MAX_LOCK_BYTES } from '../../core/limits.ts';
import { pathWord } from '../../core/text.ts';
import { refuseForeignFile } from '../../files/foreign.ts';
import { prepareFolder } from '../../files/folder.ts';
import { isFileThere } from '../../files/own-file.ts';
import { readSmallFile, withoutMark } from '../../files/small-file.ts';
import { writeWhole } from '../../files/write-whole.ts';
import type { Sources } from '../../kinds/sources.ts';
import { findParts, type FoundParts, type PartsRequest } from '../find-parts.ts';
import type { BegunContent, PartKey } from '../resume/begun-content.ts';
import { differenceDetails, differencesOf } from './difference.ts';
import { formatLock } from './format.ts';
import { type Lock, LOCK_FORMS, type LockedFacts, lockOf } from './lock.ts';
import { LockedSources } from './locked-sources.ts';

/** The lock that a run writes, or the one that it follows. */
export interface LockRequest {
  /** Where a lock of what is found is written. */
  readonly file?: string | undefined;
  /** What a file for oc-mirror asks for, to be kept in it. */
  readonly config?: JsonObject | undefined;
  /** The lock whose parts are wanted, and no others. */
  readonly followed?: FollowedLock | undefined;
}

export interface FollowedLock {
  /** For messages. */
  readonly file: string;
  readonly lock: Lock;
}

export interface LockableRequest extends PartsRequest {
  readonly lock?: LockRequest | undefined;
}

/**
 * Makes sure that a lock can be written before anything is asked for: nothing of somebody else's is
 * there. @throws BundleError USAGE, DISK
 */
export async function refuseForeignLock({ lock, incomplete }: LockableRequest): Promise<void> {
  const path = lock?.file;
  if (incomplete === true && (path !== undefined || lock?.followed !== undefined)) {
    throw new BundleError('USAGE', '--incomplete cannot be used with --lock or --locked', {
      hint: 'A lock names all that belongs to a set by its digest: nothing of it may be missing.',
    });
  }
  if (path === undefined) return;
  await refuseForeignFile({
    ...{ path, what: 'no lock of this program', limit: MAX_LOCK_BYTES, other: 'file name' },
    isOwn: (text) => /^\{\s*"kind": "bundle lock \d+",/.test(text),
  });
}

/**
 * Finds parts: those of a lock where one is followed, and then exactly these.
 * @throws BundleError as {@link findParts}; CONTENT_MISMATCH for parts that are not those of it
 */
export async function findLocked(
  request: LockableRequest,
  sources: Sources,
  context: Context,
  begunOf?: (parts: readonly PartKey[]) => Promise<BegunContent | undefined>,
): Promise<FoundParts> {
  const { file, followed } = request.lock ?? {};
  const isLocked = file !== undefined || followed !== undefined;
  const asked = { ...request, isWhole: request.isWhole ?? isLocked };
  if (followed === undefined) return findParts(asked, sources, context, begunOf);
  const locked = new LockedSources(sources, followed.lock);
  const found = await findParts(asked, locked, context, begunOf);
  requireLocked(found, followed);
  return found;
}

/** All lists of a lock, those first whose differences say most. */
const CONTENT = [
  ...(Object.keys(LOCK_FORMS) as readonly (keyof typeof LOCK_FORMS)[]),
  ...(['contents', 'files', 'parts', 'blobs'] as const),
];

/** @throws BundleError CONTENT_MISMATCH */
function requireLocked(found: FoundParts, { file, lock }: FollowedLock): void {
  const now = lockOf(found, lock);
  const all = CONTENT.flatMap((list) => differencesOf(plain(lock[list]), plain(now[list]), list));
  const [first] = all;
  if (first === undefined) return;
  throw new BundleError(
    'CONTENT_MISMATCH',
    `what is there is not what ${file} locks: ${first.what}`,
    {
      ...{ subject: first.what, expected: first.was, got: first.is },
      details: differenceDetails(all),
      hint:
        'The lock was changed, or another version of this program has written it. ' +
        'Write a new lock, and look at what is different: bundle imageset diff.',
    },
  );
}

/**
 * Writes the lock that was asked for, whole or not at all. One of other content stays: people may
 * have reviewed it. @throws BundleError USAGE, DISK
 */
export async function writeLock(
  { lock }: LockableRequest,
  found: FoundParts,
  facts: LockedFacts,
  { observe }: Context,
): Promise<void> {
  const path = lock?.file;
  if (path === undefined) return;
  await prepareFolder(dirname(path));
  const bytes = formatLock(lockOf(found, facts));
  if (await isFileThere(path)) await requireSameLock(path, bytes);
  else await writeWhole(path, bytes);
  observe({ type: 'noticed', code: 'lock-written', path });
}

/** @throws BundleError USAGE for a lock of other content, DISK */
async function requireSameLock(path: string, bytes: Uint8Array): Promise<void> {
  const known = withoutMark(await readSmallFile(path, MAX_LOCK_BYTES));
  if (Buffer.from(known).equals(bytes)) return;
  const file = pathWord(path);
  throw new BundleError('USAGE', `${path} exists already, and locks other content`, {
    subject: path,
    hint:
      `It was not replaced. Write the new lock beside it: --lock NEW.lock; and look at what is ` +
      `different: bundle imageset diff ${file} NEW.lock. Where nobody needs the old one any ` +
      `more, delete it first: rm ${file}`,
  });
}

/** The facts of a run for its lock. */
export function lockedFacts(
  { signatures, referrers, lock }: LockableRequest,
  own: Pick<LockedFacts, 'name' | 'volumeSize' | 'offers'>,
): LockedFacts {
  const config = lock?.config;
  return {
    ...own,
    signatures: signatures !== false,
    referrers,
    ...(config !== undefined && { config }),
  };
}

function plain(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
