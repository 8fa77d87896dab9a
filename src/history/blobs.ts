import type { Digest } from '../core/digest.ts';
import { parseManifest, successors } from '../core/manifest.ts';
import { isManifestType } from '../core/media-types.ts';
import type { Place } from '../transfer/image.ts';
import type { KeptBundle } from './entry.ts';

/** A blob, manifest or index of a bundle, and what needs it. */
export interface ListedBlob {
  readonly digest: Digest;
  readonly size: number;
  /** Where it goes at a target: each place once. */
  readonly places: readonly Place[];
  /** Names of the images that consist of it. */
  readonly images: readonly string[];
}

/**
 * All blobs of a bundle, or of some of its parts, with their manifests. What the bundle does not
 * hold itself is not among them: it proves nothing about that.
 * @param parts numbers of the parts; all of them unless told.
 */
export function blobsOf(
  { manifest, manifests, places }: KeptBundle,
  parts?: ReadonlySet<number>,
): ReadonlyMap<Digest, ListedBlob> {
  const sizes = new Map(manifest.blobs.map(({ digest, size }) => [digest, size]));
  const found = new Map<Digest, { size: number; places: Set<Place>; images: Set<string> }>();
  for (const [row, image] of manifest.images.entries()) {
    if (parts !== undefined && !image.parts.some((part) => parts.has(part))) continue;
    const seen = new Set<Digest>();
    const waiting = [{ digest: image.digest, mediaType: image.mediaType }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { digest, mediaType } = next;
      if (seen.has(digest)) continue;
      seen.add(digest);
      const size = sizes.get(digest);
      if (size === undefined) continue;
      const blob = found.get(digest) ?? { size, places: new Set(), images: new Set() };
      blob.places.add(places[row]!);
      blob.images.add(image.name);
      found.set(digest, blob);
      const bytes = isManifestType(mediaType) ? manifests.get(digest) : undefined;
      if (bytes !== undefined) waiting.push(...successors(parseManifest(bytes, mediaType)));
    }
  }
  return new Map(
    [...found].map(([digest, { size, places: at, images }]) => [
      digest,
      { digest, size, places: [...at], images: [...images] },
    ]),
  );
}
