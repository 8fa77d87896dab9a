import { setFlagsFromString } from 'node:v8';

import { type Limit, mapLimited } from '../core/concurrency.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { MAX_INDEX_DEPTH } from '../core/limits.ts';
import { isIndexType, isManifestType } from '../core/media-types.ts';
import { chosenOf, isMeant, type Manifest, parseManifest, platformText } from '../core/manifest.ts';
import type { ReadOnlyStore } from '../core/store.ts';
import { type ImageRequest, manifestsOf, type ManifestTree, type WalkedImage } from './image.ts';
import { checkMetadataSize } from './plan.ts';
import { givenBy, mismatch, readVerified, twiceIfWrong } from './verified.ts';

/** Bytes of a block of manifests, which are all kept equally long. */
const BLOCK = 1024 * 1024;

/** Manifests: several times as many as a usual bundle has. See {@link expectManyObjects}. */
const MANY = 2000;

/** Where a tree is fetched from, and what of it is wanted; all, if that is left out. */
interface TreeSource {
  readonly store: ReadOnlyStore;
  readonly platforms: readonly string[] | undefined;
}

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
  /** By digest, and by the platforms that are wanted of it. */
  readonly #seen = new Map<string, Promise<ManifestTree>>();
  /** Configs and layers, each kept once: most images stand on the same few. */
  readonly #blobs = new Map<Digest, Descriptor>();
  /** What is left of the block that manifests are put into. */
  #block = new Uint8Array(0);
  /** Bytes of all manifests, as they were announced. */
  #size = 0;
  #read = 0;
  #expected = 0;

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  /** Says how many images will come at least, so that progress knows before they do. */
  expect(images: number): void {
    this.#expected += images;
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
      const { descriptor, store, platforms } = request;
      const tree = await this.#tree(descriptor, { store, platforms }, 0);
      if (platforms !== undefined) checkPlatforms(tree, platforms);
      return { request, tree };
    } catch (error) {
      throw error instanceof BundleError ? error.about(`image ${request.name}`) : error;
    }
  }

  async #tree(descriptor: Descriptor, from: TreeSource, depth: number): Promise<ManifestTree> {
    const key = [descriptor.digest, ...(from.platforms ?? [])].join(' ');
    const known = this.#seen.get(key);
    if (known !== undefined) {
      const tree = await known;
      checkListing(descriptor, tree);
      return tree;
    }
    const tree = this.#fetchTree(descriptor, from, depth);
    this.#seen.set(key, tree);
    return tree;
  }

  async #fetchTree(
    descriptor: Descriptor,
    { store, platforms }: TreeSource,
    depth: number,
  ): Promise<ManifestTree> {
    if (depth > MAX_INDEX_DEPTH) {
      throw new BundleError(
        'UNSUPPORTED_CONTENT',
        `indexes are nested deeper than ${MAX_INDEX_DEPTH}`,
      );
    }
    if (this.#seen.size === MANY) expectManyObjects();
    this.#size += descriptor.size;
    checkMetadataSize(this.#size);
    const { signal, observe } = this.#options;
    const read = async (): Promise<Uint8Array> =>
      readVerified(store.fetch(descriptor, { ...(signal && { signal }) }), descriptor);
    const { digest } = descriptor;
    const checked = await twiceIfWrong(store, read, digest, observe).catch((error: unknown) => {
      throw givenBy(store, digest, error);
    });
    const bytes = this.#packed(checked);
    this.#read += 1;
    const total = Math.max(this.#expected, this.#seen.size);
    observe?.({ type: 'counted', what: 'manifests', done: this.#read, total });
    const manifest = this.#sharing(parseManifest(bytes, descriptor.mediaType));
    const children: ManifestTree[] = [];
    if (manifest.kind === 'index') {
      const wanted = platforms && chosenOf(manifest, platforms);
      for (const child of manifest.manifests) {
        if (!isManifestType(child.mediaType)) {
          throw new BundleError(
            'UNSUPPORTED_CONTENT',
            `the index ${descriptor.digest} lists something of type ${child.mediaType}`,
          );
        }
        // Depth counts along the path, and a digest below itself cannot exist, so a cached tree is
        // as deep as it is.
        if (isIndexType(child.mediaType))
          children.push(await this.#tree(child, { store, platforms }, depth + 1));
        else if (wanted === undefined || wanted.includes(child))
          children.push(await this.#tree(child, { store, platforms: undefined }, depth + 1));
      }
    }
    return {
      descriptor: { ...descriptor, mediaType: manifest.mediaType },
      bytes,
      manifest,
      children,
    };
  }

  /** The bytes in one block with others: memory of its own costs each small one 400 bytes more. */
  #packed(bytes: Uint8Array): Uint8Array {
    if (bytes.length > this.#block.length)
      this.#block = new Uint8Array(Math.max(BLOCK, bytes.length));
    const packed = this.#block.subarray(0, bytes.length);
    this.#block = this.#block.subarray(bytes.length);
    packed.set(bytes);
    return packed;
  }

  #sharing(manifest: Manifest): Manifest {
    if (manifest.kind === 'index') return manifest;
    const shared = (blob: Descriptor): Descriptor => {
      const known = this.#blobs.get(blob.digest);
      if (known === undefined) this.#blobs.set(blob.digest, blob);
      const isSame = known?.size === blob.size && known.mediaType === blob.mediaType;
      return isSame ? known : blob;
    };
    return { ...manifest, config: shared(manifest.config), layers: manifest.layers.map(shared) };
  }
}

/** @throws BundleError NOT_FOUND for an index that has nothing for one of the platforms. */
function checkPlatforms(tree: ManifestTree, platforms: readonly string[]): void {
  if (tree.manifest.kind !== 'index') return;
  const offered = [...manifestsOf(tree)].flatMap(({ manifest }) =>
    manifest.kind === 'index' ? manifest.manifests.flatMap(({ platform }) => platform ?? []) : [],
  );
  const missing = platforms.find((text) => !offered.some((platform) => isMeant(platform, text)));
  if (missing === undefined) return;
  throw new BundleError('NOT_FOUND', `there is nothing for ${missing}`, {
    expected: missing,
    got: [...new Set(offered.map(platformText))].join(', ') || 'no platform at all',
    hint: 'Name platforms that the image has, or leave them out: then all of it is carried.',
  });
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

/**
 * Lets V8's young generation grow, which `bin.ts` keeps small for the sake of copies. In a small one
 * each request outlives two collections, and stays until the next one of the whole heap: planning
 * 40,000 manifests took 610 MiB, and takes 350 MiB and a quarter less computing with this.
 */
function expectManyObjects(): void {
  setFlagsFromString('--semi-space-growth-factor=4');
}
