import { BundleError } from '../../../core/errors.ts';
import { isObject, type Json } from '../../../core/json.ts';
import { oneLine } from '../../../core/text.ts';

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
 * @param what the list is, for messages.
 * @throws BundleError UNSUPPORTED_CONTENT for what is no list, and for an entry that names no image:
 * an image that is left out unseen is missed on the other side alone.
 */
export function imagesOfList(value: Json, what: string): readonly string[] {
  const list = isObject(value) ? value['images'] : value;
  if (!Array.isArray(list)) throw unreadable(`${what} is no list of images`, list ?? value);
  return (list as readonly Json[]).map((entry, index) => {
    const image = isObject(entry) ? entry['image'] : entry;
    if (typeof image === 'string' && image.trim() !== '') return image.trim();
    throw unreadable(`entry ${index + 1} of ${what} names no image`, entry);
  });
}

function unreadable(message: string, got: Json): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', message, {
    expected: 'a list of references, or of maps that have one under image',
    got: oneLine(JSON.stringify(got), 200),
    hint: 'Mend the list in a copy of the chart, or ask who publishes it.',
  });
}
