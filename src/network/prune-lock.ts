import { type Digest, digestOf } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { isObject, parseStrictJson } from '../core/json.ts';
import { OCI_INDEX } from '../core/media-types.ts';
import type { RawManifest, RemovableRepository } from '../core/store.ts';
import { VERSION } from '../core/version.ts';

/**
 * Under this tag of the repository for components it says whether something is being removed; with
 * `-` and 12 hex digits behind it, who wants to. Clusters and update services read neither.
 */
export const LOCK_TAG = 'bundle-prune';
const CLAIM = /^bundle-prune-[0-9a-f]{12}$/;
/** Its second name is removed first, to find out what the registry does with one of two tags. */
const SECOND = '-tag';

/** Whether a tag says that something is being removed: nothing else may have it. */
export function isLockTag(tag: string): boolean {
  const first = tag.endsWith(SECOND) ? tag.slice(0, -SECOND.length) : tag;
  return tag === LOCK_TAG || CLAIM.test(first);
}

const PREFIX = 'com.redhat.bundle.prune';

/** Who removes something, and since when. */
export interface PruneOwner {
  readonly who: string;
  readonly time: string;
}

interface Marker extends PruneOwner {
  readonly state: 'running' | 'done';
  readonly digest: Digest;
}

/** What the registry said of removals when the first of them began. */
export interface HeldLock {
  /** Whether a tag can be removed while its manifest stays, by another tag. */
  readonly canRemoveTags: boolean;
  /** Gives it back, in a run that was interrupted, too. */
  readonly release: () => Promise<void>;
}

interface TakeOptions {
  /** Removes what others have left. */
  readonly takesOver: boolean;
  /** 12 hex digits of its own. */
  readonly id: string;
  readonly signal: AbortSignal;
}

/**
 * Takes the lock of a target. Each claims it under a tag of its own, and then looks who else does:
 * of two that come at once none goes on, and never both.
 * @throws BundleError TAG_CONFLICT where somebody else removes something; NOT_ALLOWED, REGISTRY,
 * NETWORK
 */
export async function takePruneLock(
  place: RemovableRepository,
  owner: PruneOwner,
  { takesOver, id, signal }: TakeOptions,
): Promise<HeldLock> {
  const mine = `${LOCK_TAG}-${id}`;
  const others = async (): Promise<readonly string[]> =>
    (await place.tags(signal)).filter((tag) => CLAIM.test(tag) && tag !== mine);
  const left = await others();
  if (!takesOver && left[0] !== undefined) throw await taken(place, left[0]);
  for (const tag of left) await removeTagged(place, tag);
  signal.throwIfAborted();
  const claim = document('running', owner, id);
  // From here on it is not interrupted: what was begun is given back.
  await place.put(claim, mine);
  const withdraw = async (): Promise<void> => {
    await place.remove(mine);
    await place.remove(claim.digest);
  };
  try {
    const rival = (await others())[0];
    if (rival !== undefined) throw await taken(place, rival);
    signal.throwIfAborted();
    const canRemoveTags = await trySecondTag(place, claim, mine);
    const before = await readMarker(place);
    const running = document('running', owner, `${id} runs`);
    await place.put(running, LOCK_TAG);
    await forget(place, before?.digest, running.digest);
    return {
      canRemoveTags,
      release: async () => {
        const done = document('done', owner, id);
        await place.put(done, LOCK_TAG);
        await forget(place, running.digest, done.digest);
        await withdraw();
      },
    };
  } catch (error) {
    throw await withLockGivenBack(error, withdraw);
  }
}

/**
 * Gives a lock back after a failure.
 * @returns the failure; it says so where the lock has to be left.
 */
export async function withLockGivenBack(
  failure: unknown,
  release: () => Promise<void>,
): Promise<unknown> {
  try {
    await release();
    return failure;
  } catch (error) {
    return failure instanceof BundleError && error instanceof BundleError
      ? lockLeft(failure)
      : failure;
  }
}

/** What somebody has to do where a lock could not be given back. */
export function lockLeft(error: BundleError): BundleError {
  return error.withHint(
    `${error.hint ?? ''} The lock of this prune is still at the registry. Until it is given back, ` +
      'unpack is refused there: run the same bundle prune again, with --take-over.',
  );
}

/** What a delivery has to know of removals. */
export interface PruneWatch {
  /** @throws BundleError TAG_CONFLICT where something has been removed since. */
  readonly end: () => Promise<void>;
}

/**
 * Looks whether something is being removed at a target that is about to be written to: what is
 * found there now might be gone a moment later.
 * @throws BundleError TAG_CONFLICT
 */
export async function watchPrunes(place: RemovableRepository): Promise<PruneWatch> {
  const before = await readMarker(place);
  if (before?.state === 'running') throw runs(place, before);
  return {
    end: async () => {
      const after = await readMarker(place);
      if (after === undefined || after.digest === before?.digest) return;
      throw new BundleError(
        'TAG_CONFLICT',
        `${after.who} has begun to remove parts from ${place.name} while this run wrote to it`,
        {
          hint:
            'Something that this run has found there may be gone. When bundle prune has ended, ' +
            'run the same command again: what is there is not sent twice.',
        },
      );
    },
  };
}

/** Who holds the lock; `undefined` where nobody does. */
export async function pruneOwner(
  place: RemovableRepository,
  signal?: AbortSignal,
): Promise<PruneOwner | undefined> {
  const claim = (await place.tags(signal)).find((tag) => CLAIM.test(tag));
  return claim === undefined ? undefined : ((await readMarker(place, claim)) ?? UNKNOWN);
}

const UNKNOWN: PruneOwner = { who: 'somebody', time: 'an unknown time' };

/**
 * Whether the registry would remove a manifest: it is asked to remove one that is nowhere.
 * @throws BundleError REGISTRY where it cannot; NOT_ALLOWED, NETWORK
 */
export async function requireRemoval(
  place: RemovableRepository,
  signal?: AbortSignal,
): Promise<void> {
  const answer = await place.remove(digestOf(`nothing in ${place.name}`), signal);
  if (answer === 'unsupported') throw cannotRemove(place.name);
}

export function cannotRemove(name: string): BundleError {
  return new BundleError('REGISTRY', `${name}: the registry removes nothing`, {
    expected: 'a registry that removes manifests',
    got: '405, UNSUPPORTED',
    hint:
      'Nothing was removed. Let those who run it allow it: distribution by storage.delete.enabled: ' +
      'true in its configuration, or REGISTRY_STORAGE_DELETE_ENABLED=true. A registry that is ' +
      'read-only, or a cache of another one, removes nothing either.',
  });
}

/** A second tag is set and removed again: the first one has to be there afterwards. */
async function trySecondTag(
  place: RemovableRepository,
  claim: LockDocument,
  mine: string,
): Promise<boolean> {
  const second = `${mine}${SECOND}`;
  await place.put(claim, second);
  if ((await place.remove(second)) !== 'removed') return false;
  const isGone = (await place.manifest(second)) === undefined;
  const first = await place.manifest(mine);
  if (first?.digest === claim.digest) return isGone;
  await place.put(claim, mine); // it takes the manifest away with any of its tags
  return false;
}

async function removeTagged(place: RemovableRepository, tag: string): Promise<void> {
  const found = await place.manifest(tag);
  if (found === undefined) return;
  await place.remove(tag);
  await place.remove(`${tag}${SECOND}`);
  await place.remove(found.digest);
}

async function forget(
  place: RemovableRepository,
  old: Digest | undefined,
  current: Digest,
): Promise<void> {
  if (old !== undefined && old !== current) await place.remove(old);
}

/** An index without entries: no registry needs anything else for it. */
type LockDocument = RawManifest & { readonly mediaType: string };

function document(state: Marker['state'], { who, time }: PruneOwner, id: string): LockDocument {
  const said = { state, who, time, id, program: `ocp-bundle ${VERSION}` };
  const annotations = Object.fromEntries(
    Object.entries(said).map(([key, value]) => [`${PREFIX}.${key}`, value]),
  );
  const json = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], annotations };
  const bytes = Buffer.from(JSON.stringify(json));
  return { bytes, mediaType: OCI_INDEX, digest: digestOf(bytes) };
}

/** Credentials that may not read it, or a repository that is not there, tell nothing. */
async function readMarker(place: RemovableRepository, tag = LOCK_TAG): Promise<Marker | undefined> {
  let raw: RawManifest | undefined;
  try {
    raw = await place.manifest(tag);
  } catch (error) {
    if (hasCode(error, 'NOT_ALLOWED')) return undefined;
    throw error;
  }
  if (raw === undefined) return undefined;
  const said = annotationsIn(raw);
  const state = said('state') === 'running' ? 'running' : 'done';
  return { state, who: said('who'), time: said('time'), digest: raw.digest };
}

function annotationsIn({ bytes }: RawManifest): (key: string) => string {
  let annotations: unknown;
  try {
    const json = parseStrictJson(bytes, 'the lock');
    annotations = isObject(json) ? json['annotations'] : undefined;
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
  }
  return (key) => {
    const value = (annotations as Record<string, unknown> | undefined)?.[`${PREFIX}.${key}`];
    return typeof value === 'string' ? value.slice(0, 200) : 'unknown';
  };
}

async function taken(place: RemovableRepository, tag: string): Promise<BundleError> {
  return runs(place, (await readMarker(place, tag)) ?? UNKNOWN);
}

function runs({ name }: RemovableRepository, { who, time }: PruneOwner): BundleError {
  return new BundleError('TAG_CONFLICT', `${who} removes parts from ${name} since ${time}`, {
    hint:
      'Nothing was written or removed. Wait until that bundle prune has ended. If it was killed, ' +
      'end it: run the same bundle prune again, with --take-over.',
  });
}
