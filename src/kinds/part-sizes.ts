import type { Digest } from '../core/digest.ts';
import type { Closure } from './closure.ts';

/** Bytes of the manifests, configs and layers that a part needs. */
export interface PartSize {
  /** All of them. */
  readonly bytes: number;
  /** Those that no other part needs. */
  readonly own: number;
  /** Those that no part before it needs: what it adds to the bundle. */
  readonly added: number;
}

/** What each part of a bundle weighs, in the order of the parts. */
export function partSizes({ parts, content }: Closure): readonly PartSize[] {
  const sizes = new Map<Digest, number>();
  const usersOf = new Map<Digest, Set<number>>();
  for (const image of content.images) {
    for (const { digest, size } of [...image.manifests, ...image.blobs]) {
      sizes.set(digest, size);
      const users = usersOf.get(digest) ?? new Set();
      for (const part of image.parts) users.add(part);
      usersOf.set(digest, users);
    }
  }
  const totals = parts.map(() => ({ bytes: 0, own: 0, added: 0 }));
  for (const [digest, users] of usersOf) {
    const size = sizes.get(digest)!;
    const first = Math.min(...users);
    for (const part of users) {
      const total = totals[part]!;
      total.bytes += size;
      if (users.size === 1) total.own += size;
      if (part === first) total.added += size;
    }
  }
  return totals;
}
