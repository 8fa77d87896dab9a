import { isObject, type Json } from '../../../core/json.ts';

/**
 * How an image of a chart was found: its publisher lists it in an annotation or in a lock file; a
 * rendered manifest runs it; a path that the user gave leads to it; the user lists it.
 */
export type HowFound = (typeof HOW_FOUND)[number];

export const HOW_FOUND = ['annotation', 'lock file', 'manifest', 'image path', 'list'] as const;

/** An image that a chart needs. */
export interface FoundImage {
  /** As it was written: a short name, as `nginx:1.16.0`, is left as it is. */
  readonly reference: string;
  readonly how: HowFound;
  /** The annotation, the file, or the template and the object. */
  readonly where: string;
}

/** Each image once, the first finding of it, in the order of their names. */
export function eachOnce(found: readonly FoundImage[]): readonly FoundImage[] {
  const first = new Map<string, FoundImage>();
  for (const image of found) if (!first.has(image.reference)) first.set(image.reference, image);
  return [...first.values()].sort((a, b) => (a.reference < b.reference ? -1 : 1));
}

/**
 * The images of a list, in the forms that are about: names, or maps with the name under `image`,
 * bare or below `images`.
 */
export function imagesOfList(value: Json): readonly string[] {
  const list = isObject(value) ? value['images'] : value;
  if (!Array.isArray(list)) return [];
  return (list as readonly Json[]).flatMap((entry) => {
    const image = isObject(entry) ? entry['image'] : entry;
    return typeof image === 'string' && image.trim() !== '' ? [image.trim()] : [];
  });
}
