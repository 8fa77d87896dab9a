import type { Digest } from '../core/digest.ts';
import type { Observe } from '../core/events.ts';
import type { ProvenBundle, SiteStanding } from '../receipts/standing.ts';
import type { Holder } from './blobs.ts';
import { type Listings, type ProvenBlob, provenAt } from './proven.ts';

/** What is said of one target. */
export interface AtTarget extends Pick<SiteStanding, 'site' | 'target'> {
  /** The bundles that are proven to be there. */
  readonly bundles: readonly ProvenBundle[];
}

/** What is proven to be at each of several targets. */
export interface ProvenEverywhere {
  /** For each blob the bundles that have it: of each target one that has brought it there. */
  readonly blobs: ReadonlyMap<Digest, readonly Holder[]>;
  /** Bundles of which nothing is known here. */
  readonly unknown: readonly ProvenBundle[];
}

/**
 * What each of several targets has, whatever bundles have brought it: what one of them lacks is not
 * in it. Nothing is where there is no target.
 * @throws BundleError as reading the listings does
 */
export async function provenEverywhere(
  targets: readonly AtTarget[],
  listings: Listings,
  observe: Observe,
): Promise<ProvenEverywhere> {
  const proven = await Promise.all(targets.map((one) => provenAt(one, listings)));
  const told = new Map<string, ProvenBundle>();
  for (const [at, { unknown }] of proven.entries()) {
    const { site } = targets[at]!;
    for (const bundle of unknown) {
      const { name, digest } = bundle;
      if (told.has(`${site} ${digest}`)) continue;
      told.set(`${site} ${digest}`, bundle);
      observe({ type: 'noticed', code: 'bundle-not-known', site, name, bundle: digest });
    }
  }
  const [first, ...others] = proven;
  const blobs = new Map<Digest, readonly Holder[]>();
  for (const [digest, one] of first?.blobs ?? []) {
    const all = [one, ...others.map((other) => other.blobs.get(digest))];
    if (all.every((blob) => blob !== undefined)) blobs.set(digest, fewest(all));
  }
  return { blobs, unknown: [...told.values()] };
}

/** As few bundles as one can see at once so that each target has one of them. */
function fewest(all: readonly ProvenBlob[]): readonly Holder[] {
  const isIn = ({ bundle }: Holder, { holders }: ProvenBlob): boolean =>
    holders.some((holder) => holder.bundle === bundle);
  const common = all[0]!.holders.find((holder) => all.every((blob) => isIn(holder, blob)));
  if (common !== undefined) return [common];
  const chosen: Holder[] = [];
  for (const blob of all)
    if (!chosen.some((holder) => isIn(holder, blob))) chosen.push(blob.holders[0]!);
  return chosen;
}
