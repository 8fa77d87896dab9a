import { type Limit, mapLimited } from '../core/concurrency.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { MAX_INDEX_DEPTH, MAX_MANIFEST_BYTES, MAX_METADATA_BYTES } from '../core/limits.ts';
import { type Manifest, parseManifest } from '../core/manifest.ts';
import { isManifestType } from '../core/media-types.ts';
import type { ReadOnlyStore } from '../core/store.ts';
import { readVerified, twiceIfWrong } from './verified.ts';

/** An image that is to be copied, before anything but its own descriptor is known. */
export interface ImageRequest {
  /** How reports call it: `4.17.3-x86_64-cli`. Unique in a plan. */
  readonly name: string;
  /** `release`, `component`, `signature` or `referrer`. */
  readonly role: string;
  readonly descriptor: Descriptor;
  /** Where the world knows it, by digest; never the mirror it is fetched from. */
  readonly source: string;
  /** Tags that shall name it at a target. */
  readonly tags: readonly string[];
  /** The manifest that a signature image or referrer speaks of. */
  readonly subject?: Digest;
  /** Where it is fetched from. */
  readonly store: ReadOnlyStore;
}

/** A manifest with everything below it. */
export interface ManifestTree {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  readonly children: readonly ManifestTree[];
}

export interface WalkedImage {
  readonly request: ImageRequest;
  readonly tree: ManifestTree;
}

export interface PlannedImage extends ImageRequest {
  /** Its manifests and indexes, each after what it points to, its own last; each digest once. */
  readonly manifests: readonly Descriptor[];
  /** Its configs and layers in the order of use; each digest once. */
  readonly blobs: readonly Descriptor[];
}

export interface PlannedBlob {
  readonly descriptor: Descriptor;
  readonly store: ReadOnlyStore;
  /** The first image that needs it. */
  readonly image: string;
}

/**
 * Everything a copy will move, each digest once, in the order in which a bundle holds it
 * (docs/format.md, entries).
 */
export interface ContentPlan {
  readonly images: readonly PlannedImage[];
  /** Manifests, indexes and configs, with their bytes. */
  readonly metadata: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
  readonly layers: readonly PlannedBlob[];
}

export interface PlanOptions {
  /** Requests at a time. */
  readonly concurrency: Limit;
  readonly signal?: AbortSignal;
  readonly observe?: Observe;
}

/**
 * Fetches the manifests of images, whole trees of them; every digest is fetched once however often
 * it is met.
 */
export class ManifestWalker {
  readonly #options: PlanOptions;
  readonly #seen = new Map<Digest, Promise<ManifestTree>>();
  /** Bytes of all manifests, as they were announced. */
  #size = 0;

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  /**
   * @throws BundleError CONTENT_MISMATCH or UNSUPPORTED_CONTENT for manifests that are not what
   * they should be, naming the image.
   */
  async walk(requests: readonly ImageRequest[]): Promise<WalkedImage[]> {
    const { concurrency, signal } = this.#options;
    const walkOne = async (request: ImageRequest): Promise<WalkedImage> => {
      try {
        return { request, tree: await this.#tree(request.descriptor, request.store, 0) };
      } catch (error) {
        throw error instanceof BundleError ? error.about(`image ${request.name}`) : error;
      }
    };
    return mapLimited(requests, concurrency, walkOne, signal);
  }

  #tree(descriptor: Descriptor, store: ReadOnlyStore, depth: number): Promise<ManifestTree> {
    let tree = this.#seen.get(descriptor.digest);
    if (tree === undefined) {
      tree = this.#fetchTree(descriptor, store, depth);
      this.#seen.set(descriptor.digest, tree);
    }
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
    if (this.#size > MAX_METADATA_BYTES) throw tooLarge();
    const { signal, observe } = this.#options;
    const read = async (): Promise<Uint8Array> =>
      readVerified(store.fetch(descriptor, { ...(signal && { signal }) }), descriptor);
    const bytes = await twiceIfWrong(read, descriptor.digest, observe);
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

/** All manifests of a tree, each before what it points to. */
export function* manifestsOf(tree: ManifestTree): Generator<ManifestTree> {
  yield tree;
  for (const child of tree.children) yield* manifestsOf(child);
}

function bottomUp(tree: ManifestTree): Descriptor[] {
  const order = new Map<Digest, Descriptor>();
  const visit = ({ descriptor, children }: ManifestTree): void => {
    children.forEach(visit);
    order.set(descriptor.digest, descriptor);
  };
  visit(tree);
  return [...order.values()];
}

/**
 * Puts the content of walked images into one list, each digest once; configs are fetched here.
 *
 * @param leading layers that come before all others, whichever image uses them first.
 * @throws BundleError UNSUPPORTED_CONTENT when one digest is given with two sizes.
 */
export async function planContent(
  walked: readonly WalkedImage[],
  leading: readonly Descriptor[],
  options: PlanOptions,
): Promise<ContentPlan> {
  const sizes = new Map<Digest, number>();
  const checkSize = ({ digest, size }: Descriptor): void => {
    const known = sizes.get(digest);
    if (known !== undefined && known !== size) {
      throw new BundleError(
        'UNSUPPORTED_CONTENT',
        `${digest} is given with two sizes: ${known} and ${size} bytes`,
      );
    }
    sizes.set(digest, size);
  };

  const metadata = new Map<
    Digest,
    { descriptor: Descriptor; bytes: Uint8Array | undefined; store: ReadOnlyStore; image: string }
  >();
  const layers = new Map<Digest, PlannedBlob>();
  const images = walked.map(({ request, tree }): PlannedImage => {
    const blobs = new Map<Digest, Descriptor>();
    for (const { descriptor, bytes, manifest } of manifestsOf(tree)) {
      checkSize(descriptor);
      if (!metadata.has(descriptor.digest)) {
        metadata.set(descriptor.digest, {
          descriptor,
          bytes,
          store: request.store,
          image: request.name,
        });
      }
      if (manifest.kind === 'index') continue;
      const { config } = manifest;
      if (config.size <= MAX_MANIFEST_BYTES && !metadata.has(config.digest)) {
        metadata.set(config.digest, {
          descriptor: config,
          bytes: undefined,
          store: request.store,
          image: request.name,
        });
      }
      for (const blob of [config, ...manifest.layers]) {
        checkSize(blob);
        if (!blobs.has(blob.digest)) blobs.set(blob.digest, blob);
      }
    }
    return {
      ...request,
      descriptor: tree.descriptor,
      manifests: bottomUp(tree),
      blobs: [...blobs.values()],
    };
  });

  const size = [...metadata.values()].reduce((total, { descriptor }) => total + descriptor.size, 0);
  if (size > MAX_METADATA_BYTES) throw tooLarge();

  // Only now is it known which digests are a config somewhere: those are metadata even where they
  // are a layer elsewhere.
  const first = images[0];
  for (const descriptor of first ? leading : []) {
    if (!metadata.has(descriptor.digest) && !layers.has(descriptor.digest)) {
      layers.set(descriptor.digest, { descriptor, store: first!.store, image: first!.name });
    }
  }
  for (const image of images) {
    for (const descriptor of image.blobs) {
      if (metadata.has(descriptor.digest) || layers.has(descriptor.digest)) continue;
      layers.set(descriptor.digest, { descriptor, store: image.store, image: image.name });
    }
  }

  const complete = await mapLimited(
    [...metadata.values()],
    options.concurrency,
    async ({ descriptor, bytes, store, image }, signal) => {
      if (bytes !== undefined) return { descriptor, bytes };
      try {
        const read = async (): Promise<Uint8Array> =>
          readVerified(store.fetch(descriptor, { signal }), descriptor);
        return { descriptor, bytes: await twiceIfWrong(read, descriptor.digest, options.observe) };
      } catch (error) {
        throw error instanceof BundleError ? error.about(`image ${image}`) : error;
      }
    },
    options.signal,
  );
  return { images, metadata: complete, layers: [...layers.values()] };
}

function tooLarge(): BundleError {
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `the manifests and configs take more than ${MAX_METADATA_BYTES} bytes`,
    {
      hint: 'Those of real releases are far smaller; the content is not what it claims to be.',
    },
  );
}

/**
 * The release images with all that hangs on them, however far: what goes to a target last, and into
 * their repository.
 */
export function releaseImagesOf({
  images,
}: Pick<ContentPlan, 'images'>): ReadonlySet<PlannedImage> {
  const belonging = new Set<PlannedImage>();
  const manifests = new Set<Digest>();
  // What hangs on an image stands behind it.
  for (const image of images) {
    if (image.role !== 'release' && (image.subject === undefined || !manifests.has(image.subject)))
      continue;
    belonging.add(image);
    for (const { digest } of image.manifests) manifests.add(digest);
  }
  return belonging;
}

/** Names of the images that need a blob: what a damaged layer breaks. */
export function imagesUsing(plan: ContentPlan, digest: Digest): readonly string[] {
  const holds = (list: readonly Descriptor[]): boolean =>
    list.some((descriptor) => descriptor.digest === digest);
  return plan.images
    .filter((image) => holds(image.manifests) || holds(image.blobs))
    .map((image) => image.name);
}
