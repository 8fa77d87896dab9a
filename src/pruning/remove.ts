import { type Limit, mapLimited } from '../core/concurrency.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import type { Removal } from '../core/store.ts';
import { cannotRemove } from '../network/prune-lock.ts';
import { parseManifest } from '../core/manifest.ts';
import type { GoingManifest, RepositoryPlan } from './survey.ts';

/**
 * How long it is looked after an interruption whether more has gone than was asked for: of the few
 * seconds that a run has then, some are for the lock.
 */
const PUT_BACK_MS = 2000;

export interface RemoveOptions {
  /** Whether a tag can be removed while its manifest stays. */
  readonly canRemoveTags: boolean;
  readonly lookups: Limit;
  readonly signal: AbortSignal;
  readonly observe: Observe;
}

/** What was done in one repository. */
export interface RemovedFrom {
  readonly repository: string;
  readonly manifests: readonly Digest[];
  readonly tags: readonly string[];
  /** Manifests that the registry says it has removed, and still gives. */
  readonly stillGiven: readonly Digest[];
  /** Tags on manifests that stay, which the registry cannot remove alone. */
  readonly tagsLeft: readonly string[];
}

/**
 * Removes what is planned: the tags of a manifest, then itself; what names others before these.
 * Afterwards everything that stays is asked for; what the registry has taken away beside it is put
 * back.
 * @throws BundleError REGISTRY, NOT_ALLOWED, NETWORK: what is removed by then is removed
 */
export async function removePlanned(
  plan: RepositoryPlan,
  { canRemoveTags, lookups, signal, observe }: RemoveOptions,
): Promise<RemovedFrom> {
  const { place, repository, going, looseTags } = plan;
  const manifests: Digest[] = [];
  const tags: string[] = [];
  const stillGiven: Digest[] = [];
  try {
    for (const [done, manifest] of going.entries()) {
      await removeOne(plan, manifest, signal);
      tags.push(...manifest.tags);
      const isThere = (await place.manifest(manifest.digest, signal)) !== undefined;
      (isThere ? stillGiven : manifests).push(manifest.digest);
      observe({ type: 'counted', what: 'manifests', done: done + 1, total: going.length });
    }
    for (const { tag } of canRemoveTags ? looseTags : []) {
      await place.remove(tag, signal);
      tags.push(tag);
    }
  } finally {
    await putBack(plan, tags, { lookups, signal: outlasting(signal, PUT_BACK_MS) });
  }
  const tagsLeft = looseTags.map(({ tag }) => tag).filter((tag) => !tags.includes(tag));
  return { repository, manifests, tags, stillGiven, tagsLeft };
}

async function removeOne(
  { place }: RepositoryPlan,
  { digest, tags }: GoingManifest,
  signal: AbortSignal,
): Promise<Removal> {
  for (const tag of tags) {
    // Most registries take the tags away with the manifest, and some know no other way.
    if ((await place.remove(tag, signal)) === 'unsupported') break;
  }
  const removed = await place.remove(digest, signal);
  if (removed === 'unsupported') throw cannotRemove(place.name);
  return removed;
}

/** Ends so many milliseconds after another one. */
function outlasting(signal: AbortSignal, ms: number): AbortSignal {
  const later = new AbortController();
  const begin = (): void => {
    setTimeout(() => {
      later.abort(signal.reason);
    }, ms).unref();
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  return later.signal;
}

/** @throws BundleError REGISTRY where something was lost, though it is there again. */
async function putBack(
  { place, keeps }: RepositoryPlan,
  removedTags: readonly string[],
  { lookups, signal }: Pick<RemoveOptions, 'lookups' | 'signal'>,
): Promise<void> {
  const wanted = [...keeps].flatMap(([digest, raw]) => {
    const tags = raw.tags.filter((tag) => !removedTags.includes(tag));
    return [digest, ...tags].map((under) => ({ under, raw }));
  });
  const absent = await mapLimited(
    wanted,
    lookups,
    async (one) => ((await place.manifest(one.under, signal)) === undefined ? [one] : []),
    signal,
  );
  // What is pointed to comes first: a registry takes nothing that points to nowhere.
  const lost = absent.flat();
  for (const { under, raw } of lost)
    await place.put({ ...raw, mediaType: typeOf(raw.bytes, raw.mediaType) }, under);
  if (lost.length === 0) return;
  throw new BundleError(
    'REGISTRY',
    `${place.name} has removed more than was asked for: ${lost.length} manifests and tags`,
    {
      details: [{ label: 'put back', items: lost.map(({ under }) => under) }],
      hint:
        'They were put back, and nothing else is removed. Do not run a garbage collection before ' +
        'bundle verify --at says that all is there. Show this to those who run the registry.',
    },
  );
}

/** As it came; some that stand before a registry drop the header. */
function typeOf(bytes: Uint8Array, announced: string | undefined): string {
  return announced ?? parseManifest(bytes).mediaType;
}
