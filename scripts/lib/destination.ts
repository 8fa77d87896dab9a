import type { Digest } from '../../src/core/digest.ts';
import { OCTET_STREAM } from '../../src/core/media-types.ts';
import type { Store } from '../../src/core/store.ts';
import type { Content, Image } from './image.ts';
import type { Layer } from './layer.ts';

/**
 * Where a made release goes: the repository of release images and that of components, which may be
 * one.
 */
export interface Destination {
  readonly releases: Store;
  readonly components: Store;
}

/** Pushes images, and keeps count of what there is of them. */
export class Publisher {
  readonly #sizes = new Map<Digest, number>();

  /** Pushes an image, whatever it is made of first. A tag is given last. */
  async publish(store: Store, image: Image, tag?: string): Promise<void> {
    for (const content of image.contents) await this.#push(store, content);
    if (tag !== undefined) await store.tag(image.descriptor, tag);
  }

  async publishLayers(store: Store, layers: readonly Layer[]): Promise<void> {
    for (const { digest, size, content } of layers)
      await this.#push(store, { descriptor: { mediaType: OCTET_STREAM, digest, size }, content });
  }

  /** Different blobs pushed so far, manifests among them. */
  get blobs(): number {
    return this.#sizes.size;
  }

  /** Bytes of these blobs, each counted once. */
  get bytes(): number {
    return [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  async #push(store: Store, { descriptor, content }: Content): Promise<void> {
    this.#sizes.set(descriptor.digest, descriptor.size);
    if (!(await store.exists(descriptor))) await store.push(descriptor, content());
  }
}
