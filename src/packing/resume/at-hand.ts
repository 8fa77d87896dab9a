import type { BundleReader } from '../../bundle/reading/reader.ts';
import type { Digest } from '../../core/digest.ts';
import type { Closure } from '../../kinds/closure.ts';
import { behind } from './behind.ts';

/** Finished bundles on disk, whose blobs need not be fetched once more. */
export class BundlesAtHand {
  readonly #closing: (() => Promise<void>)[] = [];
  readonly #holders = new Map<Digest, BundleReader>();

  /** @param close is called with the others. */
  add(reader: BundleReader, close = async (): Promise<void> => reader.close()): void {
    this.#closing.push(close);
    for (const digest of reader.layerDigests)
      if (!this.#holders.has(digest)) this.#holders.set(digest, reader);
  }

  /** The same content, with what is at hand taken from there. */
  before<T extends Closure>(closure: T): T {
    const blobs = behind(closure.content.blobs, (digest) => this.#holders.get(digest));
    return { ...closure, content: { ...closure.content, blobs } };
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await close();
  }
}
