import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { MAX_METADATA_BYTES } from '../core/limits.ts';
import type { ReadOnlyStore } from '../core/store.ts';
import {
  type ImageRequest,
  isFixed,
  isSparse,
  joinedTree,
  type ManifestTree,
  manifestsOf,
  type PlannedImage,
  type WalkedImage,
} from './image.ts';

/** A config or layer, and where it is fetched from. */
export interface PlannedBlob {
  readonly descriptor: Descriptor;
  readonly store: ReadOnlyStore;
  /** The first image that needs it. */
  readonly image: string;
}

/** A manifest or index, with its bytes. */
export interface PlannedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/**
 * Everything a copy will move, each digest once, in the order in which a bundle holds it
 * (docs/format.md, entries).
 */
export interface ContentPlan {
  readonly images: readonly PlannedImage[];
  readonly manifests: readonly PlannedManifest[];
  /** Configs and layers. */
  readonly blobs: readonly PlannedBlob[];
}

/** One thing that was asked for, as far as a plan of its content needs to know it. */
export interface PartContent {
  readonly images: readonly WalkedImage[];
  /** Blobs that a reader of a pipe needs before all others, in the order in which it needs them. */
  readonly leading: readonly Descriptor[];
}

/**
 * Puts the content of all parts into one list, each digest once. An image that several parts have
 * under one name for one place is one image. Nothing is fetched.
 *
 * @throws BundleError UNSUPPORTED_CONTENT when one digest is given with two sizes, or goes to two
 * places that have a purpose, or one image has two proofs; or when the manifests take more than a
 * bundle may hold.
 */
export function planContent(parts: readonly PartContent[]): ContentPlan {
  const images = joined(parts);
  const manifests = new Map<Digest, PlannedManifest>();
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
  let size = 0;
  const planned = images.map(({ request, tree, parts: its }): PlannedImage => {
    const blobs = new Map<Digest, Descriptor>();
    for (const { descriptor, bytes, manifest } of manifestsOf(tree)) {
      checkSize(descriptor);
      if (!manifests.has(descriptor.digest)) {
        manifests.set(descriptor.digest, { descriptor, bytes });
        size += descriptor.size;
      }
      if (manifest.kind === 'index') continue;
      for (const blob of [manifest.config, ...manifest.layers]) {
        checkSize(blob);
        if (!blobs.has(blob.digest)) blobs.set(blob.digest, blob);
      }
    }
    const { name, role, source, tags, place, proof, order, attachment, subject, store } = request;
    // Spelled out: V8 gives each object that begins with a spread a shape of its own, which takes
    // more memory than the object.
    return {
      name,
      role,
      descriptor: tree.descriptor,
      source,
      tags,
      place,
      proof,
      order,
      store,
      parts: its,
      manifests: bottomUp(tree),
      blobs: [...blobs.values()],
      ...(isSparse(tree) && { isSparse: true }),
      ...(attachment !== undefined && { attachment }),
      ...(subject !== undefined && { subject }),
    };
  });
  checkMetadataSize(size);
  return {
    images: planned,
    manifests: [...manifests.values()],
    blobs: blobsOf(planned, parts, manifests),
  };
}

interface JoinedImage extends WalkedImage {
  readonly parts: number[];
}

/**
 * The images of all parts, those of the first part first; each name and digest once for each place.
 */
function joined(parts: readonly PartContent[]): readonly JoinedImage[] {
  const found = new Map<string, JoinedImage>();
  const namesakes = new Map<string, Set<Digest>>();
  const placeOf = new Map<Digest, ImageRequest>();
  for (const [part, { images }] of parts.entries()) {
    for (const { request, tree } of images) {
      const { name, descriptor, place } = request;
      const { digest } = descriptor;
      if (isFixed(place)) {
        const elsewhere = placeOf.get(digest) ?? request;
        if (elsewhere.place !== place)
          throw contradiction(digest, [elsewhere.name, name], 'belong into two repositories');
        placeOf.set(digest, request);
      }
      const key = `${name} ${digest} ${place}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, { request, tree, parts: [part] });
      else {
        if (known.parts.at(-1) !== part) known.parts.push(part);
        const whole = { request: both(known.request, request), tree: joinedTree(known.tree, tree) };
        found.set(key, { ...known, ...whole });
      }
      namesakes.set(name, (namesakes.get(name) ?? new Set()).add(digest));
    }
  }
  return [...found.values()].map(({ request, tree, parts: its }) => {
    const { name, descriptor } = request;
    if (namesakes.get(name)!.size === 1) return { request, tree, parts: its };
    const unique = `${name}@${descriptor.digest.slice(7, 19)}`;
    return { request: { ...request, name: unique }, tree, parts: its };
  });
}

/**
 * Merges the wishes of two parts for one image: it gets the tags of both, and is last if it is last
 * for one.
 */
function both(one: ImageRequest, other: ImageRequest): ImageRequest {
  if (one.proof !== other.proof)
    throw contradiction(one.descriptor.digest, [one.name], 'have two proofs');
  const order = one.order === 'last' ? one.order : other.order;
  return { ...one, order, tags: [...new Set([...one.tags, ...other.tags])] };
}

function contradiction(digest: Digest, names: readonly string[], what: string): BundleError {
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `${digest} would ${what}: ${[...new Set(names)].join(' and ')}`,
    {
      hint:
        'An image can have only one role in a bundle: ' +
        'pack each of these parts into a bundle of its own.',
    },
  );
}

/**
 * All configs and layers in the order of use, behind those that lead: of each part the first, then
 * of each the second.
 */
function blobsOf(
  images: readonly PlannedImage[],
  parts: readonly PartContent[],
  manifests: ReadonlyMap<Digest, PlannedManifest>,
): readonly PlannedBlob[] {
  const blobs = new Map<Digest, PlannedBlob>();
  const users = new Map<Digest, PlannedImage>();
  for (const image of images)
    for (const { digest } of image.blobs) if (!users.has(digest)) users.set(digest, image);
  const add = (descriptor: Descriptor): void => {
    const { digest } = descriptor;
    const user = users.get(digest);
    if (user === undefined || blobs.has(digest) || manifests.has(digest)) return;
    blobs.set(digest, { descriptor, store: user.store, image: user.name });
  };
  const rows = Math.max(0, ...parts.map(({ leading }) => leading.length));
  for (let row = 0; row < rows; row += 1) {
    for (const { leading } of parts) {
      const descriptor = leading[row];
      if (descriptor !== undefined) add(descriptor);
    }
  }
  for (const image of images) image.blobs.forEach(add);
  return [...blobs.values()];
}

function bottomUp(tree: ManifestTree): Descriptor[] {
  const order = new Map<Digest, Descriptor>();
  const visit = ({ descriptor, children }: ManifestTree): void => {
    if (order.has(descriptor.digest)) return;
    children.forEach(visit);
    order.set(descriptor.digest, descriptor);
  };
  visit(tree);
  return [...order.values()];
}

/** @throws BundleError UNSUPPORTED_CONTENT for more bytes of manifests than a bundle may hold. */
export function checkMetadataSize(bytes: number): void {
  if (bytes <= MAX_METADATA_BYTES) return;
  throw new BundleError(
    'UNSUPPORTED_CONTENT',
    `the manifests take more than ${MAX_METADATA_BYTES} bytes`,
    {
      hint: 'Manifests of real images are far smaller: do not trust this content.',
    },
  );
}

/**
 * The images that need each manifest and blob: what a damaged one breaks. For a single digest
 * {@link imagesUsing} is enough.
 */
export function usersOf({
  images,
}: Pick<ContentPlan, 'images'>): ReadonlyMap<Digest, readonly PlannedImage[]> {
  const users = new Map<Digest, PlannedImage[]>();
  for (const image of images) {
    // One digest may be both a manifest and a blob of an image.
    for (const digest of digestsOf(image)) {
      const known = users.get(digest);
      if (known === undefined) users.set(digest, [image]);
      else known.push(image);
    }
  }
  return users;
}

function digestsOf({ manifests, blobs }: PlannedImage): ReadonlySet<Digest> {
  return new Set([...manifests, ...blobs].map(({ digest }) => digest));
}

/** Names of the images that need a manifest or blob. Every call looks through all images. */
export function imagesUsing(
  { images }: Pick<ContentPlan, 'images'>,
  digest: Digest,
): readonly string[] {
  const holds = (list: readonly Descriptor[]): boolean =>
    list.some((descriptor) => descriptor.digest === digest);
  return images
    .filter((image) => holds(image.manifests) || holds(image.blobs))
    .map((image) => image.name);
}
