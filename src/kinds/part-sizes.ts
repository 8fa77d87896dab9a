import { usersOf } from '../transfer/plan.ts';
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

/** The size of each part of a bundle, in the order of the parts. */
export function partSizes({ parts, content }: Closure): readonly PartSize[] {
  const totals = parts.map(() => ({ bytes: 0, own: 0, added: 0 }));
  const users = usersOf(content);
  const blobs = [...content.manifests, ...content.blobs].map(({ descriptor }) => descriptor);
  for (const { digest, size } of blobs) {
    const needing = new Set(users.get(digest)?.flatMap((image) => image.parts));
    const first = Math.min(...needing);
    for (const part of needing) {
      const total = totals[part]!;
      total.bytes += size;
      if (needing.size === 1) total.own += size;
      if (part === first) total.added += size;
    }
  }
  return totals;
}
