import type { ByteStream } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { FetchOptions, ReadOnlyStore, StoreOptions } from '../core/store.ts';
import type { MadeContent, MadeFile } from './image.ts';

/** A place that holds what was made here beside all that another place holds. */
export class MadeStore implements ReadOnlyStore {
  readonly name: string;
  readonly #origin: ReadOnlyStore;
  readonly #made: ReadonlyMap<Digest, MadeContent | MadeFile>;

  constructor(origin: ReadOnlyStore, made: readonly (MadeContent | MadeFile)[]) {
    this.name = origin.name;
    this.#origin = origin;
    this.#made = new Map(made.map((content) => [content.descriptor.digest, content]));
  }

  fetch(descriptor: Descriptor, options: FetchOptions = {}): ByteStream {
    const own = this.#made.get(descriptor.digest);
    return own === undefined ? this.#origin.fetch(descriptor, options) : given(own, options);
  }

  async exists(descriptor: Descriptor, options?: StoreOptions): Promise<boolean> {
    const own = this.#made.get(descriptor.digest);
    if (own === undefined) return this.#origin.exists(descriptor, options);
    return own.descriptor.size === descriptor.size;
  }

  async resolve(reference: string, options?: StoreOptions): Promise<Descriptor> {
    const own = this.#made.get(reference as Digest);
    return own?.descriptor ?? this.#origin.resolve(reference, options);
  }

  async referrers(subject: Digest, options?: StoreOptions): Promise<readonly Descriptor[]> {
    return this.#made.has(subject) ? [] : this.#origin.referrers(subject, options);
  }

  tags: ReadOnlyStore['tags'] = (options) => this.#origin.tags(options);
}

async function* given(
  content: MadeContent | MadeFile,
  { range, signal }: FetchOptions,
): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  if ('read' in content) {
    for await (const chunk of content.read(range)) {
      signal?.throwIfAborted();
      yield chunk;
    }
    return;
  }
  const { bytes } = content;
  yield range === undefined ? bytes : bytes.subarray(range.start, range.end);
}
