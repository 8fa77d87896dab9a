import type { Digest } from '../../../core/digest.ts';

/**
 * Enough for all that are under way at once: what was resolved is fetched next, and is then kept by
 * whoever asked.
 */
const MAX_CACHED_BYTES = 4 * 1024 * 1024;

/**
 * Manifests that were seen a moment ago, checked against their digest; the longest unused go first.
 */
export class ManifestCache {
  readonly #kept = new Map<Digest, Uint8Array>();
  readonly #limit: number;
  #size = 0;

  constructor(limit: number = MAX_CACHED_BYTES) {
    this.#limit = limit;
  }

  get(digest: Digest): Uint8Array | undefined {
    const bytes = this.#kept.get(digest);
    if (bytes === undefined) return undefined;
    this.#kept.delete(digest);
    this.#kept.set(digest, bytes);
    return bytes;
  }

  set(digest: Digest, bytes: Uint8Array): void {
    this.#size += bytes.length - (this.#kept.get(digest)?.length ?? 0);
    this.#kept.delete(digest);
    this.#kept.set(digest, bytes);
    for (const [oldest, old] of this.#kept) {
      if (this.#size <= this.#limit) return;
      this.#kept.delete(oldest);
      this.#size -= old.length;
    }
  }
}
