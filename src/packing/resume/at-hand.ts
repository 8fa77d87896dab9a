import type { BundleReader } from '../../bundle/reading/reader.ts';
import type { Digest } from '../../core/digest.ts';
import type { Closure } from '../../kinds/closure.ts';
import { behind } from './behind.ts';

/** Finished bundles on disk, whose blobs need not be fetched once more. */
export class BundlesAtHand {
  readonly #readers: BundleReader[] = [];
  readonly #holders = new Map<Digest, BundleReader>();

  /** It is closed with the others. */
  add(reader: BundleReader): void {
    this.#readers.push(reader);
    for (const digest of reader.layerDigests)
      if (!this.#holders.has(digest)) this.#holders.set(digest, reader);
  }

  /** The same content, with what is at hand taken from there. */
  before<T extends Closure>(closure: T): T {
    const blobs = behind(closure.content.blobs, (digest) => this.#holders.get(digest));
    return { ...closure, content: { ...closure.content, blobs } };
  }

  async close(): Promise<void> {
    for (const reader of this.#readers) await reader.close();
  }
}
