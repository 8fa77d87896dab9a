import type { Closure } from '../kinds/closure.ts';
import type { Part } from '../kinds/kind.ts';
import type { CopyReport, Leaves } from '../transfer/copy-options.ts';
import { namesItsPart } from '../transfer/image.ts';
import { nameOfPlace, type Places } from './places.ts';

/** The outcome for one part. */
export interface DeliveredPart {
  readonly kind: string;
  readonly label: string;
  /**
   * Whether all of it is at the target, and named; on a dry run `undefined`, and `false` for a part
   * that is known to lack something.
   */
  readonly isWhole: boolean | undefined;
  /** Full references of the images that the part is known by, by tag and by digest. */
  readonly named: readonly { readonly tagged: string; readonly pinned: string }[];
}

/** What was copied, unless nothing was, and what was known beforehand not to become whole. */
interface Standing {
  readonly copied?: CopyReport;
  readonly leaves: Leaves | undefined;
}

/** A part without images has nothing that could be missing. */
function isWhole(
  part: number,
  { content }: Closure,
  { copied, leaves }: Standing,
): boolean | undefined {
  if (leaves?.incompleteParts.has(part) === true) return false;
  if (copied === undefined) return undefined;
  const needsImages = content.images.some(({ parts }) => parts.includes(part));
  return copied.wholeParts.includes(part) || !needsImages;
}

export function deliveredParts(
  { parts, content }: Closure,
  places: Places,
  standing: Standing,
): readonly DeliveredPart[] {
  return parts.map(({ kind, label }: Part, number) => ({
    kind,
    label,
    isWhole: isWhole(number, { parts, content }, standing),
    named: content.images
      .filter((image) => image.parts.includes(number) && namesItsPart(image))
      .map((image) => {
        const place = nameOfPlace(places, image.place);
        const [tag] = image.tags;
        const pinned = `${place}@${image.descriptor.digest}`;
        return { tagged: tag === undefined ? pinned : `${place}:${tag}`, pinned };
      }),
  }));
}
