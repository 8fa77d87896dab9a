import { isDamage } from '../../bundle/reading/fault.ts';
import type { BundleReader } from '../../bundle/reading/reader.ts';
import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import type { FetchOptions, ReadOnlyStore } from '../../core/store.ts';
import type { PlannedBlob } from '../../transfer/plan.ts';
import { BeforeOrigin, continued } from './continued.ts';

/** The bundle that has a blob; `undefined` where none does. */
export type HolderOf = (digest: Digest) => BundleReader | undefined;

/** Is told what is wrong with a bundle that had to have a blob. */
export type OnDamaged = (holder: BundleReader, error: BundleError) => void;

/**
 * Takes blobs from bundles that have them before they are asked for where they come from. What is
 * damaged there comes from where it comes from, too.
 */
export function behind(
  blobs: readonly PlannedBlob[],
  holderOf: HolderOf,
  onDamaged: OnDamaged = () => undefined,
): readonly PlannedBlob[] {
  const stores = new Map<ReadOnlyStore, ReadOnlyStore>();
  const wrapped = (store: ReadOnlyStore): ReadOnlyStore => {
    const known = stores.get(store) ?? new StoreBehind(holderOf, store, onDamaged);
    stores.set(store, known);
    return known;
  };
  return blobs.map((blob) =>
    holderOf(blob.descriptor.digest) === undefined ? blob : { ...blob, store: wrapped(blob.store) },
  );
}

/** A store behind bundles that have some of its blobs. What these give is checked like the rest. */
class StoreBehind extends BeforeOrigin {
  readonly #holderOf: HolderOf;
  readonly #onDamaged: OnDamaged;
  /** Who asks for one of these again, whole, has found the bytes of the bundle wrong. */
  readonly #given = new Set<Digest>();

  constructor(holderOf: HolderOf, origin: ReadOnlyStore, onDamaged: OnDamaged) {
    super(origin);
    this.#holderOf = holderOf;
    this.#onDamaged = onDamaged;
  }

  fetch(descriptor: Descriptor, options: FetchOptions = {}): ByteStream {
    const { digest } = descriptor;
    const holder = this.#holderOf(digest);
    if (holder === undefined) return this.origin.fetch(descriptor, options);
    if (this.#given.has(digest) && options.range === undefined) {
      const message = `the blob ${digest} has a wrong digest`;
      this.#onDamaged(holder, new BundleError('CONTENT_MISMATCH', message));
      return this.origin.fetch(descriptor, options);
    }
    this.#given.add(digest);
    const here = this.#watched(holder, holder.fetch(descriptor, options));
    return continued(here, this.origin, descriptor, options);
  }

  async *#watched(holder: BundleReader, content: ByteStream): AsyncGenerator<Uint8Array> {
    try {
      yield* content;
    } catch (error) {
      if (isDamage(error)) this.#onDamaged(holder, error);
      throw error;
    }
  }
}
