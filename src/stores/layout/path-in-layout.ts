import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, isDigest } from '../../core/digest.ts';
import type { FetchOptions, PushOptions, Store, StoreOptions } from '../../core/store.ts';

/**
 * A repository in a place that has none: its tags are names with the path in front, as in
 * `team/tool:1.4`. All content is that of the whole place.
 */
export class PathInLayout implements Store {
  readonly name: string;
  readonly isSteady = true;
  readonly #layout: Store;
  readonly #prefix: string;

  /** @param path without a slash in front. */
  constructor(layout: Store, path: string) {
    this.name = `${layout.name}:${path}`;
    this.#layout = layout;
    this.#prefix = `${path}:`;
  }

  fetch(descriptor: Descriptor, options?: FetchOptions): ByteStream {
    return this.#layout.fetch(descriptor, options);
  }

  exists(descriptor: Descriptor, options?: StoreOptions): Promise<boolean> {
    return this.#layout.exists(descriptor, options);
  }

  resolve(reference: string, options?: StoreOptions): Promise<Descriptor> {
    const name = isDigest(reference) ? reference : this.#prefix + reference;
    return this.#layout.resolve(name, options);
  }

  async tags(options?: StoreOptions): Promise<readonly string[]> {
    const names = await this.#layout.tags(options);
    return names.flatMap((name) =>
      name.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : [],
    );
  }

  referrers(subject: Digest, options?: StoreOptions): Promise<readonly Descriptor[]> {
    return this.#layout.referrers(subject, options);
  }

  push(descriptor: Descriptor, content: ByteStream, options: PushOptions = {}): Promise<void> {
    const { tag } = options;
    const named = tag !== undefined && { tag: this.#prefix + tag };
    return this.#layout.push(descriptor, content, { ...options, ...named });
  }

  tag(descriptor: Descriptor, tag: string, options?: StoreOptions): Promise<void> {
    return this.#layout.tag(descriptor, this.#prefix + tag, options);
  }
}
