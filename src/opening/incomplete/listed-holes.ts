import type { BundleManifest } from '../../bundle/format/manifest.ts';
import type { Holes } from '../../kinds/holes.ts';

/**
 * The images that a bundle says one of its parts lacks. Nothing else of the part may be missing, and
 * what is not of the part is found when the lists are compared.
 */
export function listedHoles({ holes = [] }: Pick<BundleManifest, 'holes'>, part: number): Holes {
  const own = holes.filter((hole) => hole.part === part);
  const listed = new Map(own.map((hole) => [keyOf(hole), hole]));
  return {
    known: (image) => listed.get(keyOf(image)),
    excuse: () => undefined,
    looksInside: false,
    inside: () => undefined,
  };
}

function keyOf({ name, source }: { readonly name: string; readonly source: string }): string {
  return `${name} ${source}`;
}
