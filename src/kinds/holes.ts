import type { BundledHole, HoleReason } from '../bundle/format/manifest.ts';
import type { Digest } from '../core/digest.ts';
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

/** No image may be left out. */
export const NO_HOLES: Holes = {
  known: () => undefined,
  excuse: () => undefined,
  looksInside: false,
  inside: () => undefined,
};
