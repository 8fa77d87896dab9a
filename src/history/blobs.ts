import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { parseManifest, successors } from '../core/manifest.ts';
import { isManifestType } from '../core/media-types.ts';
import type { Place } from '../transfer/image.ts';
import type { KeptBundle } from './entry.ts';

/** An image of a bundle, and what of it the bundle or one that it requires holds. */
export interface KeptImage {
  readonly name: string;
  readonly role: string;
  readonly source: string;
  readonly descriptor: Descriptor;
  readonly place: Place;
  readonly parts: readonly number[];
  readonly manifests: readonly Descriptor[];
  readonly blobs: readonly Descriptor[];
}

/**
 * The images of a bundle. What it does not have is left out: it proves nothing about that. But what
 * it leaves out since earlier bundles have it belongs to it: without that, it cannot be delivered.
 */
export function imagesOf({ manifest, manifests, places }: KeptBundle): readonly KeptImage[] {
  const { blobs: own, requires = [] } = manifest;
  const all = [...own, ...requires.flatMap(({ blobs }) => blobs)];
  const held = new Map(all.map(({ digest, size }) => [digest, size]));
  return manifest.images.map(({ name, role, source, digest, size, mediaType, parts }, row) => {
    const descriptor = { digest, size, mediaType };
    const seen = new Map<Digest, Descriptor>();
    const leaves: Descriptor[] = [];
    const waiting: Descriptor[] = [descriptor];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (seen.has(next.digest) || !held.has(next.digest)) continue;
      seen.set(next.digest, next);
      const bytes = isManifestType(next.mediaType) ? manifests.get(next.digest) : undefined;
      if (bytes === undefined) leaves.push(next);
      else waiting.push(...successors(parseManifest(bytes, next.mediaType)).map(bare));
    }
    const heads = [...seen.values()].filter((one) => !leaves.includes(one));
    const at = places[row]!;
    return { name, role, source, descriptor, place: at, parts, manifests: heads, blobs: leaves };
  });
}

function bare({ digest, size, mediaType }: Descriptor): Descriptor {
  return { digest, size, mediaType };
}

/** A blob, manifest or index of a bundle, and what needs it. */
export interface ListedBlob {
  readonly digest: Digest;
  readonly size: number;
  /** Where it goes at a target: each place once. */
  readonly places: readonly Place[];
  /** Names of the images that consist of it. */
  readonly images: readonly string[];
  /** The bundles that have it in their files: this one, or those that it requires for it. */
  readonly holders: readonly Holder[];
}

/** A bundle that has a blob in its file. */
export interface Holder {
  readonly bundle: Digest;
  readonly name: string;
}

/**
 * All blobs of a bundle, or of some of its parts, with their manifests.
 * @param parts numbers of the parts; all of them unless told.
 */
export function blobsOf(
  bundle: KeptBundle,
  parts?: ReadonlySet<number>,
): ReadonlyMap<Digest, ListedBlob> {
  const found = new Map<Digest, { size: number; places: Set<Place>; images: Set<string> }>();
  const { digest: own, manifest } = bundle;
  const elsewhere = new Map<Digest, Holder[]>();
  for (const { bundle: earlier, name, blobs } of manifest.requires ?? []) {
    const holder = { bundle: earlier, name };
    for (const { digest } of blobs)
      elsewhere.set(digest, [...(elsewhere.get(digest) ?? []), holder]);
  }
  const here = [{ bundle: own, name: manifest.name }];
  for (const image of imagesOf(bundle)) {
    if (parts !== undefined && !image.parts.some((part) => parts.has(part))) continue;
    for (const { digest, size } of [...image.manifests, ...image.blobs]) {
      const blob = found.get(digest) ?? { size, places: new Set(), images: new Set() };
      blob.places.add(image.place);
      blob.images.add(image.name);
      found.set(digest, blob);
    }
  }
  return new Map(
    [...found].map(([digest, { size, places, images }]) => [
      digest,
      {
        ...{ digest, size, places: [...places], images: [...images] },
        holders: elsewhere.get(digest) ?? here,
      },
    ]),
  );
}
