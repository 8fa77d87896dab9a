import type { Digest } from '../core/digest.ts';
import { type Destinations, repositoryAt } from '../kinds/destinations.ts';
import type { ReceiptTarget } from '../receipts/receipt.ts';
import type { ProvenBundle, SiteStanding } from '../receipts/standing.ts';
import type { Place } from '../transfer/image.ts';
import { blobsOf, type Holder } from './blobs.ts';
import type { KeptBundle } from './entry.ts';

/** A blob or manifest that is at a site, and what proves that. */
export interface ProvenBlob {
  readonly digest: Digest;
  readonly size: number;
  /** Repositories of the target that have it, as full paths; each once. */
  readonly repositories: readonly string[];
  /** The bundles that have brought it. */
  readonly bundles: readonly Digest[];
  /** The bundles that have it in their files, those first that are at the site themselves. */
  readonly holders: readonly Holder[];
}

/** What knows the listings of bundles: a history, or one with more beside it. */
export interface Listings {
  bundle(digest: Digest): Promise<KeptBundle | undefined>;
}

/** What is proven to be at a site. */
export interface ProvenContent {
  readonly blobs: ReadonlyMap<Digest, ProvenBlob>;
  /** Bundles that receipts name and of which nothing is known here: nothing of them is proven. */
  readonly unknown: readonly ProvenBundle[];
}

/**
 * The blobs that are proven to be at a site: those of the bundles, or of their parts, that its
 * receipts name and the history knows.
 * @throws BundleError CONTENT_MISMATCH, UNSUPPORTED_CONTENT for a listing that was damaged; DISK
 */
export async function provenAt(
  { bundles, target }: Pick<SiteStanding, 'bundles' | 'target'>,
  history: Listings,
): Promise<ProvenContent> {
  const destinations = destinationsOf(target);
  const repository = (place: Place): string => repositoryAt(destinations, place).repository;
  const blobs = new Map<Digest, ProvenBlob>();
  const unknown: ProvenBundle[] = [];
  const isThere = new Set(bundles.map(({ digest }) => digest));
  for (const bundle of bundles) {
    const kept = await history.bundle(bundle.digest);
    if (kept === undefined) {
      unknown.push(bundle);
      continue;
    }
    const parts = bundle.whole ? undefined : new Set(bundle.parts.keys());
    for (const [digest, { size, places, holders }] of blobsOf(kept, parts)) {
      const known = blobs.get(digest);
      blobs.set(digest, {
        ...{ digest, size },
        repositories: [...new Set([...(known?.repositories ?? []), ...places.map(repository)])],
        bundles: [...(known?.bundles ?? []), bundle.digest],
        holders: inOrder([...(known?.holders ?? []), ...holders], isThere),
      });
    }
  }
  return { blobs, unknown };
}

/** Each once. */
function inOrder(holders: readonly Holder[], isThere: ReadonlySet<Digest>): readonly Holder[] {
  if (holders.length === 1) return holders;
  const all = [...new Map(holders.map((holder) => [holder.bundle, holder])).values()];
  return [
    ...all.filter(({ bundle }) => isThere.has(bundle)),
    ...all.filter(({ bundle }) => !isThere.has(bundle)),
  ];
}

/** The repositories that a receipt is about. */
export function destinationsOf(target: ReceiptTarget): Destinations {
  const { registry, namespace, places, maxNestedPaths } = target;
  return {
    target: { registry, namespace: namespace ?? undefined },
    maxNestedPaths: maxNestedPaths ?? undefined,
    entry: { registry, repository: places.entry },
    content: { registry, repository: places.content },
    graph: { registry, repository: places.graph },
  };
}
