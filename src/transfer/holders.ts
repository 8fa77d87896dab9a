import type { Digest } from '../core/digest.ts';
import type { Store } from '../core/store.ts';

/** Which targets are known to hold what, in the order in which that became known. */
export class Holders {
  readonly #holders = new Map<Digest, Set<Store>>();

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
