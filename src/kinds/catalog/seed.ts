import type { Catalog } from '../../catalogs/catalog.ts';
import { type Digest, digestOf, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asObject, asString, type JsonObject } from '../../core/json.ts';
import { formatReference, isRepository, isTag, parseReference } from '../../core/reference.ts';
import { compareText } from '../../core/text.ts';

/** What a catalog and the images of its bundles follow from. */
export interface CatalogSeed {
  /** Of the image that is carried: the one that was made, or the one that was named. */
  readonly digest: Digest;
  /** As it was named, with its registry. */
  readonly reference: string;
  /** Of the image that was named. The same as `digest` where it is carried as it is. */
  readonly from: Digest;
  /** Where it goes at a target, below all that is delivered. */
  readonly path: string;
  readonly tag: string;
  /** The digests of images that bundles name by a tag alone, as they were when it was packed. */
  readonly pinned: ReadonlyMap<string, Digest>;
  /** Where it was just filtered: what is in the image. It is read from there otherwise. */
  readonly known?: Catalog;
}

/** One catalog for two places, or with other operators, is two parts. */
export function identityOf({ digest, reference, path, tag }: CatalogSeed): Digest {
  return digestOf(JSON.stringify([reference, digest, path, tag]));
}

/** Its row in `bundle.json`. */
export function claimOf(seed: CatalogSeed): JsonObject {
  const { reference, digest, from, path, tag, pinned } = seed;
  const sorted = [...pinned].sort(([a], [b]) => compareText(a, b));
  return { reference, digest, from, path, tag, pinned: Object.fromEntries(sorted) };
}

/** @throws BundleError UNSUPPORTED_CONTENT, USAGE for a row that packing would not write. */
export function readClaim(claim: JsonObject): CatalogSeed {
  const reference = formatReference(parseReference(asString(claim['reference'], 'reference')));
  const [digest, from] = [parseDigest(claim['digest']), parseDigest(claim['from'])];
  const [path, tag] = [asString(claim['path'], 'path'), asString(claim['tag'], 'tag')];
  const pinned = new Map(
    Object.entries(asObject(claim['pinned'], 'pinned')).map(([name, own]) => [
      name,
      parseDigest(own),
    ]),
  );
  if (isRepository(path) && isTag(tag)) return { reference, digest, from, path, tag, pinned };
  throw new BundleError('UNSUPPORTED_CONTENT', `the row of the catalog ${reference} is wrong`, {
    expected: 'a repository path and a tag',
    got: `${path}:${tag}`,
  });
}
