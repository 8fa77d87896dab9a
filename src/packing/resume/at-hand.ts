import type { BundleReader } from '../../bundle/reading/reader.ts';
import type { Digest } from '../../core/digest.ts';
import type { BundleError } from '../../core/errors.ts';
import type { Closure } from '../../kinds/closure.ts';
import { behind } from './behind.ts';

/** What becomes of a bundle at hand. */
interface Use {
  /** Is told once that it is damaged, and how. */
  readonly onDamaged: (error: BundleError) => void;
  readonly close: () => Promise<void>;
}

/** Finished bundles on disk, whose blobs need not be fetched once more. */
export class BundlesAtHand {
  readonly #closing: Use['close'][] = [];
  readonly #holders = new Map<Digest, BundleReader>();
  readonly #onDamaged = new Map<BundleReader, Use['onDamaged']>();

  /** Closes it with the others. */
  add(reader: BundleReader, { onDamaged, close }: Use): void {
    this.#closing.push(close);
    this.#onDamaged.set(reader, onDamaged);
    for (const digest of reader.layerDigests)
      if (!this.#holders.has(digest)) this.#holders.set(digest, reader);
  }

  /**
   * The same content, with what is at hand taken from there. What turns out to be damaged there is
   * fetched.
   */
  before<T extends Closure>(closure: T): T {
    const blobs = behind(
      closure.content.blobs,
      (digest) => this.#holders.get(digest),
      (holder, error) => {
        const tell = this.#onDamaged.get(holder);
        this.#onDamaged.delete(holder);
        tell?.(error);
      },
    );
    return { ...closure, content: { ...closure.content, blobs } };
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await close();
  }
}
