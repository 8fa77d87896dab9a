import type { Catalog } from '../../catalogs/catalog.ts';
import { type Digest, digestOf, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asArray, asObject, asString, type Json, type JsonObject } from '../../core/json.ts';
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
  /** Why the packer kept each bundle, by `package/bundle`; empty for a catalog as it is. */
  readonly why: ReadonlyMap<string, readonly string[]>;
  /** Where it was just filtered: what is in the image. It is read from there otherwise. */
  readonly known?: Catalog;
}

/** One catalog for two places, or with other operators, is two parts. */
export function identityOf({ digest, reference, path, tag }: CatalogSeed): Digest {
  return digestOf(JSON.stringify([reference, digest, path, tag]));
}

/** Its row in `bundle.json`. */
export function claimOf(seed: CatalogSeed): JsonObject {
  const { reference, digest, from, path, tag } = seed;
  const [pinned, why] = [objectOf(seed.pinned), objectOf(seed.why)];
  return { reference, digest, from, path, tag, pinned, why };
}

function objectOf<T extends Json>(map: ReadonlyMap<string, T>): Readonly<Record<string, T>> {
  return Object.fromEntries([...map].sort(([a], [b]) => compareText(a, b)));
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
  const why = new Map(
    Object.entries(asObject(claim['why'], 'why')).map(([name, own]) => [
      name,
      asArray(own, 'reasons').map((reason) => asString(reason, 'a reason')),
    ]),
  );
  if (isRepository(path) && isTag(tag)) return { reference, digest, from, path, tag, pinned, why };
  throw new BundleError('UNSUPPORTED_CONTENT', `the row of the catalog ${reference} is wrong`, {
    expected: 'a repository path and a tag',
    got: `${path}:${tag}`,
  });
}
