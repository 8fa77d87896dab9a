import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, digestOf, isDigest } from '../../core/digest.ts';
import { MAX_MANIFEST_BYTES } from '../../core/limits.ts';
import { isManifestType } from '../../core/media-types.ts';
import type { FetchOptions, ReadOnlyStore, StoreOptions } from '../../core/store.ts';
import type { KeptManifests } from './kept-manifests.ts';

/** A place whose manifests are kept for later runs, and taken from where they are kept. */
export class KeepingStore implements ReadOnlyStore {
  readonly name: string;
  readonly #origin: ReadOnlyStore;
  readonly #kept: KeptManifests;

  constructor(origin: ReadOnlyStore, kept: KeptManifests) {
    this.name = origin.name;
    this.#origin = origin;
    this.#kept = kept;
  }

  fetch(descriptor: Descriptor, options: FetchOptions = {}): ByteStream {
    const isWhole = options.range === undefined && descriptor.size <= MAX_MANIFEST_BYTES;
    return isWhole && isManifestType(descriptor.mediaType)
      ? this.#manifest(descriptor, options)
      : this.#origin.fetch(descriptor, options);
  }

  /** What is kept need not be there any more. */
  exists: ReadOnlyStore['exists'] = (descriptor, options) =>
    this.#origin.exists(descriptor, options);

  async resolve(reference: string, options?: StoreOptions): Promise<Descriptor> {
    const kept = isDigest(reference) ? await this.#kept.get(reference) : undefined;
    if (kept === undefined) return this.#origin.resolve(reference, options);
    options?.signal?.throwIfAborted();
    const { mediaType, bytes } = kept;
    return { mediaType, size: bytes.length, digest: reference as Digest };
  }

  tags: ReadOnlyStore['tags'] = (options) => this.#origin.tags(options);

  referrers: ReadOnlyStore['referrers'] = (subject, options) =>
    this.#origin.referrers(subject, options);

  async *#manifest(descriptor: Descriptor, options: FetchOptions): AsyncGenerator<Uint8Array> {
    const { digest, mediaType, size } = descriptor;
    const kept = await this.#kept.get(digest);
    if (kept?.bytes.length === size) {
      options.signal?.throwIfAborted();
      yield kept.bytes;
      return;
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this.#origin.fetch(descriptor, options)) {
      length += chunk.length;
      // Whoever reads decides about what is too long; it is not kept.
      if (length <= size) chunks.push(Buffer.from(chunk));
      yield chunk;
    }
    const bytes = Buffer.concat(chunks);
    if (length === size && digestOf(bytes) === digest)
      await this.#kept.put(digest, { mediaType, bytes });
  }
}
