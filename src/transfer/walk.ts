import { type Limit, mapLimited } from '../core/concurrency.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { MAX_INDEX_DEPTH } from '../core/limits.ts';
import { parseManifest } from '../core/manifest.ts';
import { isManifestType } from '../core/media-types.ts';
import type { ReadOnlyStore } from '../core/store.ts';
import type { ImageRequest, ManifestTree, WalkedImage } from './image.ts';
import { checkMetadataSize } from './plan.ts';
import { mismatch, readVerified, twiceIfWrong } from './verified.ts';

export interface WalkOptions {
  /** Requests at a time. */
  readonly concurrency: Limit;
  readonly signal?: AbortSignal;
  readonly observe?: Observe;
}

/**
 * Fetches the manifests of images, whole trees of them. A digest is fetched once, however often and
 * for whichever part it is met.
 */
export class ManifestWalker {
  readonly #options: WalkOptions;
  readonly #seen = new Map<Digest, Promise<ManifestTree>>();
  /** Bytes of all manifests, as they were announced. */
  #size = 0;

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  /**
   * @throws BundleError CONTENT_MISMATCH or UNSUPPORTED_CONTENT for manifests that are not what
   * they should be, naming the image.
   */
  async walk(requests: readonly ImageRequest[]): Promise<WalkedImage[]> {
    const { concurrency, signal } = this.#options;
    return mapLimited(requests, concurrency, (request) => this.walkOne(request), signal);
  }

  /** The same for one image. */
  async walkOne(request: ImageRequest): Promise<WalkedImage> {
    try {
      return { request, tree: await this.#tree(request.descriptor, request.store, 0) };
    } catch (error) {
      throw error instanceof BundleError ? error.about(`image ${request.name}`) : error;
    }
  }

  async #tree(descriptor: Descriptor, store: ReadOnlyStore, depth: number): Promise<ManifestTree> {
    const known = this.#seen.get(descriptor.digest);
    if (known !== undefined) {
      const tree = await known;
      checkListing(descriptor, tree);
      return tree;
    }
    const tree = this.#fetchTree(descriptor, store, depth);
    this.#seen.set(descriptor.digest, tree);
    return tree;
  }

  async #fetchTree(
    descriptor: Descriptor,
    store: ReadOnlyStore,
    depth: number,
  ): Promise<ManifestTree> {
    if (depth > MAX_INDEX_DEPTH) {
      throw new BundleError(
        'UNSUPPORTED_CONTENT',
        `indexes are nested deeper than ${MAX_INDEX_DEPTH}`,
      );
    }
    this.#size += descriptor.size;
    checkMetadataSize(this.#size);
    const { signal, observe } = this.#options;
    const read = async (): Promise<Uint8Array> =>
      readVerified(store.fetch(descriptor, { ...(signal && { signal }) }), descriptor);
    const bytes = await twiceIfWrong(store, read, descriptor.digest, observe);
    const manifest = parseManifest(bytes, descriptor.mediaType);
    const children: ManifestTree[] = [];
    if (manifest.kind === 'index') {
      for (const child of manifest.manifests) {
        if (!isManifestType(child.mediaType)) {
          throw new BundleError(
            'UNSUPPORTED_CONTENT',
            `the index ${descriptor.digest} lists something of type ${child.mediaType}`,
          );
        }
        // Depth counts along the path, and a digest below itself cannot exist, so a cached tree is
        // as deep as it is.
        children.push(await this.#tree(child, store, depth + 1));
      }
    }
    return {
      descriptor: { ...descriptor, mediaType: manifest.mediaType },
      bytes,
      manifest,
      children,
    };
  }
}

/**
 * A manifest is read once, but each place that lists it has to tell the truth.
 * @throws BundleError CONTENT_MISMATCH for another size, UNSUPPORTED_CONTENT for another type.
 */
function checkListing(listed: Descriptor, { descriptor: { mediaType, size } }: ManifestTree): void {
  if (listed.size !== size) throw mismatch(listed, 'size', `${listed.size} bytes`, `${size} bytes`);
  if (isManifestType(listed.mediaType) && listed.mediaType !== mediaType) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the type of the manifest ${listed.digest} is ${mediaType}, ` +
        `but it is also listed as ${listed.mediaType}`,
      { expected: listed.mediaType, got: mediaType },
    );
  }
}
