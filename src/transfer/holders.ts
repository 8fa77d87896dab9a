import type { Digest } from '../core/digest.ts';
import type { Store } from '../core/store.ts';

/** Blobs that are known to be at a target before anything is copied, and where. */
export type Held = ReadonlyMap<Digest, readonly Store[]>;

/** Which targets are known to hold what, in the order in which that became known. */
export class Holders {
  readonly #holders = new Map<Digest, Set<Store>>();

  constructor(held: Held = new Map()) {
    for (const [digest, stores] of held) this.#holders.set(digest, new Set(stores));
  }

  of(digest: Digest): ReadonlySet<Store> {
    return this.#holders.get(digest) ?? NOBODY;
  }

  add(digest: Digest, store: Store): void {
    const known = this.#holders.get(digest);
    if (known === undefined) this.#holders.set(digest, new Set([store]));
    else known.add(store);
  }
}

const NOBODY: ReadonlySet<Store> = new Set();
