import { type Closure, labelsOf } from '../kinds/closure.ts';
import type { PlannedImage } from '../transfer/image.ts';
import type { Difference } from './compare.ts';

/** How much of a part a place holds: all of it, none of what is its own, or something between. */
export type Presence = 'complete' | 'absent' | 'incomplete';

export interface PartAtTarget {
  readonly label: string;
  readonly presence: Presence;
  /** Its images, and those of them that are not whole. */
  readonly images: number;
  readonly lacking: number;
  /** Its tags that name something else: what they should name may be there all the same. */
  readonly retagged: number;
}

/** Says of each part of a closure how much of it is there, from what is not as it should be. */
export function partsAtTarget(
  closure: Closure,
  differences: readonly Difference[],
): readonly PartAtTarget[] {
  const hit = new Set<PlannedImage>();
  const retagged = new Map<PlannedImage, number>();
  const absent = new Map<PlannedImage, Set<Difference['what']>>();
  for (const { what, flaw, images } of differences) {
    for (const image of images) {
      if (flaw === 'other') {
        retagged.set(image, (retagged.get(image) ?? 0) + 1);
        continue;
      }
      hit.add(image);
      if (flaw === 'absent') absent.set(image, (absent.get(image) ?? new Set()).add(what));
    }
  }
  // Other parts may have brought the same manifests; nothing else brings the tags of this one.
  const isGone = (image: PlannedImage): boolean =>
    absent.get(image)?.has(image.tags.length > 0 ? 'tag' : 'manifest') ?? false;
  return closure.parts.map(({ label }) => {
    const images = closure.content.images.filter((image) => isOf(image, label, closure));
    const own = images.filter(({ parts }) => parts.length === 1);
    const lacking = images.filter((image) => hit.has(image)).length;
    const isNothing = own.length > 0 && own.every(isGone);
    const presence = lacking === 0 ? 'complete' : isNothing ? 'absent' : 'incomplete';
    const moved = images.reduce((sum, image) => sum + (retagged.get(image) ?? 0), 0);
    return { label, presence, images: images.length, lacking, retagged: moved };
  });
}

function isOf(image: PlannedImage, label: string, closure: Closure): boolean {
  return labelsOf(image, closure).includes(label);
}
