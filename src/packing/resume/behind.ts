import type { BundleReader } from '../../bundle/reading/reader.ts';
import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import type { FetchOptions, ReadOnlyStore } from '../../core/store.ts';
import type { PlannedBlob } from '../../transfer/plan.ts';
import { BeforeOrigin, continued } from './continued.ts';

/** The bundle that has a blob; `undefined` where none does. */
export type HolderOf = (digest: Digest) => BundleReader | undefined;

/** Takes blobs from bundles that have them before they are asked for where they come from. */
export function behind(blobs: readonly PlannedBlob[], holderOf: HolderOf): readonly PlannedBlob[] {
  const stores = new Map<ReadOnlyStore, ReadOnlyStore>();
  const wrapped = (store: ReadOnlyStore): ReadOnlyStore => {
    const known = stores.get(store) ?? new StoreBehind(holderOf, store);
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
  /** Who asks for one of these again, whole, has found the bytes of the bundle wrong. */
  readonly #given = new Set<Digest>();

  constructor(holderOf: HolderOf, origin: ReadOnlyStore) {
    super(origin);
    this.#holderOf = holderOf;
  }

  fetch(descriptor: Descriptor, options: FetchOptions = {}): ByteStream {
    const { digest } = descriptor;
    const holder = this.#holderOf(digest);
    const isAgain = this.#given.has(digest) && options.range === undefined;
    if (isAgain || holder === undefined) return this.origin.fetch(descriptor, options);
    this.#given.add(digest);
    return continued(holder.fetch(descriptor, options), this.origin, descriptor, options);
  }
}
