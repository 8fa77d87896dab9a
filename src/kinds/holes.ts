import { type BundledHole, HOLE_REASONS, type HoleReason } from '../bundle/format/manifest.ts';
import { type Digest, parseDigest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { asObject, asString, type JsonObject } from '../core/json.ts';
import { oneLine } from '../core/text.ts';
import type { ImageRequest, WalkedImage } from '../transfer/image.ts';

/** An image that a part has, and the bundle has not. */
export type PartHole = Omit<BundledHole, 'part'>;

/** What is known of the reason. */
export type HoleCause = Pick<PartHole, 'reason' | 'lacks' | 'size'>;

/** Why something of a part was left out of it: an image that it needs could not be had. */
export interface Drop extends Omit<HoleCause, 'size'> {
  readonly image: string;
}

/** The reason in words. */
export function describeDrop({ image, reason, lacks }: Drop): string {
  const blob = lacks === undefined ? '' : `, blob ${lacks}`;
  return `its image ${image} could not be had (${reason}${blob})`;
}

/** The key of a claim for what was left out, by name. */
export const DROPS_KEY = 'droppedBundles';

/**
 * What a row of a bundle says that was left out of its part, by name.
 * @throws BundleError UNSUPPORTED_CONTENT for a row that packing would not write.
 */
export function dropsOfClaim(claim: JsonObject): ReadonlyMap<string, Drop> {
  const drops = Object.entries(asObject(claim[DROPS_KEY] ?? {}, DROPS_KEY));
  return new Map(drops.map(([name, own]) => [name, readDrop(asObject(own, name))]));
}

function readDrop({ image, reason, lacks }: JsonObject): Drop {
  const known = HOLE_REASONS.find((one) => one === reason);
  if (known === undefined)
    throw new BundleError('UNSUPPORTED_CONTENT', 'the row of a part is wrong', {
      expected: `a reason why an image is missing: ${HOLE_REASONS.join(', ')}`,
      got: oneLine(JSON.stringify(reason)),
    });
  return {
    ...{ image: asString(image, 'image'), reason: known },
    ...(lacks !== undefined && { lacks: parseDigest(lacks) }),
  };
}

/** An image that a part names, before anybody has asked for it. */
export interface WantedImage extends Omit<ImageRequest, 'descriptor'> {
  /** `undefined` where it is named by a tag, and nobody could tell what that names. */
  readonly digest: Digest | undefined;
  /** Why nobody could. */
  readonly absent?: HoleReason | undefined;
  /** How messages call it, if not by its name. */
  readonly by?: string | undefined;
  /** How somebody can go on without it, where they can. */
  readonly around?: string | undefined;
}

/**
 * Decides which images a part may do without. Where packing may leave holes, that are those which
 * their source does not give; where a bundle is read, those that it lists.
 */
export interface Holes {
  /** Why an image is left out, as far as that is known before it is asked for. */
  known(image: WantedImage): HoleCause | undefined;
  /** Why it is left out after this has happened; `undefined` where that ends the run. */
  excuse(image: WantedImage, error: unknown): HoleCause | undefined;
  /** Whether an image is left out for what is attached to it, or for what it consists of. */
  readonly looksInside: boolean;
  /** Why an image is left out, with all that is attached to it. */
  inside(images: readonly WalkedImage[]): HoleCause | undefined;
}

/** Decides the same for images that are named by a tag, before anybody knows their digests. */
export interface AbsentTags {
  /** Why one is left out, before its tag is asked for. */
  known(image: string): HoleReason | undefined;
  /** Why one is left out whose tag could not be resolved; `undefined` where that ends the run. */
  excuse(image: string, error: unknown): HoleReason | undefined;
}

/** What the tag of an image names, or why nobody can tell. */
export type TaggedDigest =
  | { readonly digest: Digest; readonly absent?: undefined }
  | { readonly digest: undefined; readonly absent: HoleReason };

/** @throws what `resolve` throws, where the image may not be left out */
export async function digestOfTag(
  image: string,
  resolve: () => Promise<{ readonly digest: Digest }>,
  tags: AbsentTags | undefined,
): Promise<TaggedDigest> {
  const known = tags?.known(image);
  if (known !== undefined) return { digest: undefined, absent: known };
  try {
    return { digest: (await resolve()).digest };
  } catch (error) {
    const absent = tags?.excuse(image, error);
    if (absent === undefined) throw error;
    return { digest: undefined, absent };
  }
}

/** No image may be left out. */
export const NO_HOLES: Holes = {
  known: () => undefined,
  excuse: () => undefined,
  looksInside: false,
  inside: () => undefined,
};
