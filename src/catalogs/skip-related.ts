import type { CatalogBundle, RelatedImage } from './catalog.ts';

/** Whether a related image of a bundle is not carried. */
export type SkipRelated = (related: RelatedImage) => boolean;

/**
 * Compares related images with patterns in which `*` stands for any text and `?` for one character.
 * A pattern with a slash is compared with the image, any other with the name that the bundle gives
 * to it.
 */
export function skipsRelated(patterns: readonly string[]): SkipRelated {
  const tests = patterns.map(matcherOf);
  return (related) => tests.some((test) => test(related));
}

/** Patterns that no related image of these bundles is like. */
export function unusedPatterns(
  patterns: readonly string[],
  bundles: readonly CatalogBundle[],
): readonly string[] {
  const related = bundles.flatMap((bundle) => bundle.relatedImages);
  return patterns.filter((pattern) => !related.some(matcherOf(pattern)));
}

function matcherOf(pattern: string): SkipRelated {
  const pieces = pattern.split(/([*?])/);
  const text = pieces
    .map((piece) => {
      if (piece === '*') return '.*';
      return piece === '?' ? '.' : piece.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    })
    .join('')
    // One star is as good as several, which would be tried against one another.
    .replaceAll(/(?:\.\*){2,}/g, '.*');
  const regexp = new RegExp(`^${text}$`, 'su');
  const isOfImage = pattern.includes('/');
  return ({ name, image }) => regexp.test(isOfImage ? image : name);
}
