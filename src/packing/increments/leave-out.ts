import type { BundleManifest, RequiredBundle } from '../../bundle/format/manifest.ts';
import type { Digest } from '../../core/digest.ts';
import type { Delivered } from '../../history/baselines.ts';
import { type Closure, keptBlobs } from '../../kinds/closure.ts';
import { usersOf } from '../../transfer/plan.ts';

/**
 * The configs and layers that a bundle of some parts leaves out, by the bundles that have them:
 * those that its site has already.
 */
export function leftOut(closure: Closure, { blobs: known }: Delivered): readonly RequiredBundle[] {
  const kept = keptBlobs(closure);
  const rows = new Map<Digest, RequiredBundle & { blobs: RequiredBundle['blobs'][number][] }>();
  // In the order of the baselines: what comes first is what a blob is taken from.
  for (const { holders } of known.values()) {
    for (const { bundle, name } of holders)
      if (!rows.has(bundle)) rows.set(bundle, { bundle, name, blobs: [] });
  }
  for (const { descriptor } of closure.content.blobs) {
    const { digest, size } = descriptor;
    const one = known.get(digest);
    if (one === undefined || kept.has(digest)) continue;
    for (const { bundle } of one.holders) {
      const row = rows.get(bundle)!;
      row.blobs.push({ digest, size });
      if (one.isAssumed) rows.set(bundle, { ...row, assumed: true });
    }
  }
  return [...rows.values()].filter(({ blobs }) => blobs.length > 0);
}

/** How much a bundle leaves out. */
export interface LeftOut {
  readonly blobs: number;
  readonly bytes: number;
}

/** The outcome of a pack with baselines. */
export interface IncrementFacts {
  /** The sites whose receipts prove what is left out. */
  readonly sites: readonly string[];
  readonly total: LeftOut;
  /** What each part needs and the bundle leaves out, in the order of the parts. */
  readonly ofParts: readonly LeftOut[];
  readonly bundles: readonly (Pick<RequiredBundle, 'bundle' | 'name'> &
    LeftOut & { readonly isAssumed: boolean })[];
}

export function incrementFacts(
  { requires = [] }: Pick<BundleManifest, 'requires'>,
  { parts, content }: Closure,
  sites: readonly string[],
): IncrementFacts {
  const users = usersOf(content);
  const ofParts = parts.map(() => ({ blobs: 0, bytes: 0 }));
  const all = new Map(requires.flatMap(({ blobs }) => blobs).map((blob) => [blob.digest, blob]));
  const total = { blobs: all.size, bytes: 0 };
  for (const { digest, size } of all.values()) {
    total.bytes += size;
    for (const part of new Set(users.get(digest)?.flatMap((image) => image.parts))) {
      ofParts[part]!.blobs += 1;
      ofParts[part]!.bytes += size;
    }
  }
  const bundles = requires.map(({ bundle, name, assumed, blobs }) => ({
    ...{ bundle, name, isAssumed: assumed === true, blobs: blobs.length },
    bytes: blobs.reduce((sum, { size }) => sum + size, 0),
  }));
  return { sites, total, ofParts, bundles };
}
