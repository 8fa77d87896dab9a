import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { Manifest } from '../core/manifest.ts';
import type { ReadOnlyStore } from '../core/store.ts';

/**
 * The repositories of a target that have a purpose: `entry` holds the images that clusters are
 * pointed at and that services list; `content` holds the images that are only ever pulled by digest;
 * `graph` holds the images of an update service, which no cluster asks for by the name of their
 * source.
 */
export const FIXED_PLACES = ['entry', 'content', 'graph'] as const;
export type FixedPlace = (typeof FIXED_PLACES)[number];

/**
 * Which repository of a target an image goes to: one that has a purpose, or the one with a path
 * below all that is delivered, as in `/team/tool`.
 */
export type Place = FixedPlace | `/${string}`;

/**
 * The proof of an image: a signature of its publisher, from which its digest follows, or the signer
 * of the bundle alone.
 */
export type Proof = 'publisher' | 'signer';

/** When an image is copied. What is `last` names the rest of its part, so the rest comes first. */
export type Order = 'first' | 'last';

/**
 * How an image is attached to its subject: by a tag that is made of the subject's digest, or by
 * naming it.
 */
export type Attachment = 'tag' | 'referrer';

/** An image that is to be copied, before anything but its own descriptor is known. */
export interface ImageRequest {
  /** How reports call it: `4.17.3-x86_64-cli`. Unique among the images of its part. */
  readonly name: string;
  /** Its role in its part. It is for reports only: no decision depends on it. */
  readonly role: string;
  readonly descriptor: Descriptor;
  /** Where the world knows it, by digest; never the mirror it is fetched from. */
  readonly source: string;
  /** Tags that shall name it at a target. */
  readonly tags: readonly string[];
  readonly place: Place;
  readonly proof: Proof;
  readonly order: Order;
  /** Set together with `subject`, for an image that is attached to a manifest. */
  readonly attachment?: Attachment;
  /** The manifest that it is attached to. */
  readonly subject?: Digest;
  /** The platforms of an index that are wanted of it; all, if it is left out. */
  readonly platforms?: readonly string[];
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
  /** The parts that it belongs to, by their numbers from 0, lowest first. */
  readonly parts: readonly number[];
  /** Its manifests and indexes, each after what it points to, its own last; each digest once. */
  readonly manifests: readonly Descriptor[];
  /** Its configs and layers in the order of use; each digest once. */
  readonly blobs: readonly Descriptor[];
  /** Its index lists manifests that are not wanted of it, and that are nowhere beside it. */
  readonly isSparse?: boolean;
}

/**
 * All manifests of a tree, from the top, each digest once: indexes that list one another over and
 * over make a tree that nobody could walk to its end.
 */
export function* manifestsOf(
  tree: ManifestTree,
  seen = new Set<Digest>(),
): Generator<ManifestTree> {
  if (seen.has(tree.descriptor.digest)) return;
  seen.add(tree.descriptor.digest);
  yield tree;
  for (const child of tree.children) yield* manifestsOf(child, seen);
}

/** Whether an index lists manifests that the tree leaves out. */
export function isSparse(tree: ManifestTree): boolean {
  for (const { manifest, children } of manifestsOf(tree))
    if (manifest.kind === 'index' && children.length < manifest.manifests.length) return true;
  return false;
}

/**
 * Two trees of one index, of which each may leave something out.
 * @param joined what was joined already: a tree may list one index over and over.
 */
export function joinedTree(
  one: ManifestTree,
  other: ManifestTree,
  joined = new Map<Digest, ManifestTree>(),
): ManifestTree {
  const known = joined.get(one.descriptor.digest);
  if (known !== undefined) return known;
  if (one === other || one.manifest.kind !== 'index') return one;
  const [ofOne, ofOther] = [one, other].map(
    ({ children }) => new Map(children.map((child) => [child.descriptor.digest, child])),
  ) as [Map<Digest, ManifestTree>, Map<Digest, ManifestTree>];
  const children = one.manifest.manifests.flatMap(({ digest }): readonly ManifestTree[] => {
    const first = ofOne.get(digest) ?? ofOther.get(digest);
    if (first === undefined) return [];
    return [joinedTree(first, ofOther.get(digest) ?? first, joined)];
  });
  const tree = { ...one, children };
  joined.set(one.descriptor.digest, tree);
  return tree;
}

/** Whether an image names its part at a target: nobody may find it there before the rest. */
export function namesItsPart({
  order,
  attachment,
}: Pick<ImageRequest, 'order' | 'attachment'>): boolean {
  return order === 'last' && attachment === undefined;
}

export function isFixed(place: Place): place is FixedPlace {
  return !place.startsWith('/');
}
