import type { Quirk } from './quirks.ts';

const MiB = 1024 * 1024;

/**
 * The chunk sizes that are tried, largest first. 1 MiB is what nginx lets through unless it is told
 * otherwise.
 */
const CHUNK_SIZES = [64 * MiB, 16 * MiB, 4 * MiB, MiB, MiB / 4, MiB / 16];

/**
 * How large a request one registry accepts. Uploads find it out from its answers, and all later
 * uploads to that registry use it.
 */
export class UploadLimits {
  #largest = Number.POSITIVE_INFINITY;
  #takesChunks = true;
  #leastChunk = 0;
  #losesBroken = false;

  /** Bytes of the largest request that is worth trying. */
  get largest(): number {
    return this.#largest;
  }

  get takesChunks(): boolean {
    return this.#takesChunks;
  }

  /** Whether an upload in which a request broke has to start over. */
  get losesBroken(): boolean {
    return this.#losesBroken;
  }

  /** Takes over what is known of this kind of registry. */
  expect({ largestRequest, leastChunk = 0, takesChunks = true, losesBroken = false }: Quirk): void {
    if (largestRequest !== undefined) this.#largest = Math.min(this.#largest, largestRequest);
    this.#leastChunk = leastChunk;
    this.#takesChunks &&= takesChunks;
    this.#losesBroken = losesBroken;
  }

  /**
   * Bytes of a chunk. @param least what the registry asks for, as it does with
   * `OCI-Chunk-Min-Length`.
   */
  chunk(least = 0): number {
    return Math.max(least, this.#leastChunk, Math.min(CHUNK_SIZES[0]!, this.#largest));
  }

  /**
   * A request of so many bytes was too large (413); `false` where nothing smaller is worth trying.
   */
  refused(bytes: number): boolean {
    const smaller = CHUNK_SIZES.find((size) => size < bytes);
    if (smaller === undefined || !this.#takesChunks) return false;
    this.#largest = Math.min(this.#largest, smaller);
    return true;
  }

  /** The registry does not know how to take a blob in parts. */
  refusedChunks(): void {
    this.#takesChunks = false;
  }
}
