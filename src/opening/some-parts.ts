import { describeBundle } from '../bundle/format/plan.ts';
import type { BundledImage } from '../bundle/format/manifest.ts';
import type { BundleContent } from '../bundle/reading/reader.ts';
import type { BundleError } from '../core/errors.ts';
import { type Closure, contentsOf, missingParts } from '../kinds/closure.ts';

/** Parts that were derived; where others could not be, those that could. */
export interface DerivedParts {
  readonly closure: Closure;
  /** The parts that could not be derived for damage, and why. */
  readonly lost: readonly LostPart[];
}

/** A part whose images nobody can tell, since what names them is damaged or missing. */
export interface LostPart {
  /** From 0, as the bundle counts its parts. */
  readonly number: number;
  readonly label: string;
  readonly error: BundleError;
}

/** What a bundle lists, as far as it is compared with what was derived. */
export type Listed = Pick<BundleContent, 'manifest' | 'metadataDigests'>;

/**
 * What a bundle lists of some of its parts, in the order in which a bundle of these alone would
 * list it: for a comparison with what was derived, where other parts cannot be. All images that the
 * bundle says are theirs are in it. Of files, manifests and blobs it does not say whose they are:
 * those in it that were derived are, so that one that is not listed is missing.
 * @param rows the numbers of the parts in the bundle.
 * @param closure of these parts, as it was derived.
 */
export function onlyParts(
  rows: readonly number[],
  { manifest, metadataDigests }: Listed,
  closure: Closure,
): Listed {
  const { name, parts, holes = [] } = manifest;
  const derived = describeBundle(contentsOf(name, closure)).manifest;
  const listedFiles = new Map(manifest.files.map((file) => [file.path, file]));
  const listedBlobs = new Map(manifest.blobs.map((blob) => [blob.digest, blob]));
  const manifests = new Set(metadataDigests);
  return {
    manifest: {
      name,
      parts: rows.map((row) => parts[row]!),
      images: imagesOf(rows, manifest.images, derived.images),
      ...(manifest.requires !== undefined && { requires: manifest.requires }),
      holes: holes.flatMap((hole) =>
        rows.includes(hole.part) ? { ...hole, part: rows.indexOf(hole.part) } : [],
      ),
      // oci-layout and index.json are of the whole bundle, and were computed when they were read.
      files: derived.files.flatMap((file) =>
        file.role === 'layout' ? [file] : (listedFiles.get(file.path) ?? []),
      ),
      blobs: derived.blobs.flatMap(({ digest }) => listedBlobs.get(digest) ?? []),
    },
    metadataDigests: closure.content.manifests.flatMap(({ descriptor: { digest } }) =>
      manifests.has(digest) ? [digest] : [],
    ),
  };
}

function imagesOf(
  rows: readonly number[],
  listed: readonly BundledImage[],
  derived: readonly BundledImage[],
): readonly BundledImage[] {
  const found = listed.flatMap((image) => {
    const parts = image.parts.flatMap((part) => (rows.includes(part) ? [rows.indexOf(part)] : []));
    if (parts.length === 0) return [];
    const isShared = parts.length < image.parts.length;
    const at = derived.findIndex((other) => isSame(image, other));
    const own = derived[at];
    if (own === undefined) return [{ at: derived.length, image: { ...image, parts } }];
    return [{ at, image: { ...image, ...ownWords(image, own, isShared), parts } }];
  });
  return found.toSorted((a, b) => a.at - b.at).map(({ image }) => image);
}

/** Of images that have one name, the bundle tells each by its digest too. */
function isSame(listed: BundledImage, derived: BundledImage): boolean {
  const { digest, role, name } = derived;
  if (listed.digest !== digest || listed.role !== role) return false;
  return [name, `${name}@${digest.slice(7, 19)}`].includes(listed.name);
}

/**
 * What the other parts of a bundle change in the row of an image: its name is made longer for a
 * namesake; one that they have too is listed with the source of the first, and the tags of all.
 */
function ownWords(
  listed: BundledImage,
  { name, source, tags }: BundledImage,
  isShared: boolean,
): Partial<BundledImage> {
  if (!isShared) return { name };
  return { name, source, ...(tags.every((tag) => listed.tags.includes(tag)) && { tags }) };
}

/**
 * The closure of a bundle; where only some of its parts can be derived, that of these, if all that
 * is asked for is among them.
 */
export function derivedOf(
  bundle: { readonly closure: Closure | undefined; readonly some: DerivedParts | undefined },
  select: readonly string[],
  expected: readonly string[] = [],
): Closure | undefined {
  const { closure, some } = bundle;
  if (closure !== undefined || some === undefined || select.length === 0) return closure;
  const { parts } = some.closure;
  return missingParts(parts, [...select, ...expected]).length === 0 ? some.closure : undefined;
}
