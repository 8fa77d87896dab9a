import type { Digest } from '../core/digest.ts';
import { digestsIn, type RepositoryPlan } from './survey.ts';

/** What a garbage collection of the registry frees afterwards, as far as that can be told. */
export interface Freed {
  /** Blobs and manifests, each digest once. */
  readonly blobs: number;
  readonly bytes: number;
}

/**
 * Blobs that only manifests have which go. A registry may have repositories that were not looked
 * at: then it is less.
 */
export function freedBy(plans: readonly RepositoryPlan[]): Freed {
  const needed = new Set<Digest>();
  for (const { keeps } of plans) {
    for (const [digest, raw] of keeps) {
      needed.add(digest);
      for (const named of digestsIn(raw)) needed.add(named);
    }
  }
  const sizes = new Map<Digest, number>();
  for (const { digest, size, blobs } of plans.flatMap(({ going }) => going)) {
    for (const one of [{ digest, size }, ...blobs])
      if (!needed.has(one.digest)) sizes.set(one.digest, one.size);
  }
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return { blobs: sizes.size, bytes };
}
