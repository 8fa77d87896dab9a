import type { LackedImage, WentWithout } from '../../bundle/format/damage-map.ts';
import { formatReference } from '../../core/reference.ts';
import { parseShortReference } from '../../image-sets/short-reference.ts';
import type { AbsentTags, Drop, Holes } from '../../kinds/holes.ts';

/** What is left out, whether its source gives it by now or not. */
export interface GoingWithout {
  readonly holes: Holes;
  readonly absent: AbsentTags;
  readonly dropped: (reference: string) => ReadonlyMap<string, Drop>;
}

/**
 * Goes without what an earlier bundle went without, and without nothing else: for what has to belong
 * to that bundle to the byte.
 */
export function goingWithout({ images, dropped }: WentWithout): GoingWithout {
  const byName = new Map(images.map((image) => [keyOf(image), image]));
  const bySource = new Map(images.map(({ source, reason }) => [source, reason]));
  return {
    holes: {
      known: (image) => byName.get(keyOf(image)),
      excuse: () => undefined,
      looksInside: false,
      inside: () => undefined,
    },
    absent: {
      known: (image) => bySource.get(sourceOf(image)),
      excuse: () => undefined,
    },
    dropped: (reference) =>
      new Map(
        dropped
          .filter(({ part }) => part === reference)
          .map(({ name, image, reason, lacks }) => [
            name,
            { image, reason, ...(lacks !== undefined && { lacks }) },
          ]),
      ),
  };
}

function keyOf({ name, source }: Pick<LackedImage, 'name' | 'source'>): string {
  return `${name} ${source}`;
}

/** As the row of an image has it whose tag nobody could resolve. */
function sourceOf(image: string): string {
  const { registry, repository, tag = 'latest', digest } = parseShortReference(image).reference;
  const named = digest === undefined ? { tag } : { digest };
  return formatReference({ registry, repository, ...named });
}
