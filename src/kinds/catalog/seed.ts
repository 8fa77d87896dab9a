import type { HoleReason } from '../../bundle/format/manifest.ts';
import type { Catalog } from '../../catalogs/catalog.ts';
import { type Digest, digestOf, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asArray, asObject, asString, type Json, type JsonObject } from '../../core/json.ts';
import { formatReference, isRepository, isTag, parseReference } from '../../core/reference.ts';
import { compareText, oneLine } from '../../core/text.ts';
import { type Drop, DROPS_KEY, dropsOfClaim } from '../holes.ts';
import type { SourceTemplate } from '../resource-file.ts';
import type { CatalogMode } from './request.ts';
import { checkedTemplate } from './source-template.ts';

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
  /** Why those could not be pinned that the bundle may lack. */
  readonly absent?: ReadonlyMap<string, HoleReason>;
  /** Why the packer kept each bundle, by `package/bundle`; empty for a catalog as it is. */
  readonly why: ReadonlyMap<string, readonly string[]>;
  /** Of the object that offers it; a catalog need not have one. */
  readonly template?: SourceTemplate | undefined;
  /** Where it was just filtered: the default channels of its packages that are other ones now. */
  readonly defaults?: ReadonlyMap<string, string>;
  /** How the packer filtered it. It decides nothing where the catalog is carried as it is. */
  readonly mode: CatalogMode;
  /** Patterns of related images that are not carried, sorted. */
  readonly skipRelated: readonly string[];
  /** Why the packer went without bundles, by `package/bundle`. */
  readonly skippedBundles: ReadonlyMap<string, string>;
  /** Bundles that it was filtered again without, since images of them could not be had. */
  readonly droppedBundles: ReadonlyMap<string, Drop>;
  /** Where it was just filtered: what is in the image. It is read from there otherwise. */
  readonly known?: KnownCatalog;
}

/** What is in the image of a catalog. */
export interface KnownCatalog {
  readonly catalog: Catalog;
  /** The folder of the documents, without slashes around it: `configs`. */
  readonly configs: string;
  /** Whether it has a program to be started. */
  readonly isRunnable: boolean;
}

/** One catalog for two places, or with other operators or images, is two parts. */
export function identityOf({
  digest,
  reference,
  path,
  tag,
  skipRelated,
}: Pick<CatalogSeed, 'digest' | 'reference' | 'path' | 'tag' | 'skipRelated'>): Digest {
  const images = skipRelated.length > 0 ? [skipRelated] : [];
  return digestOf(JSON.stringify([reference, digest, path, tag, ...images]));
}

/** Its row in `bundle.json`. */
export function claimOf(seed: CatalogSeed): JsonObject {
  const { reference, digest, from, path, tag, template, mode, skipRelated, skippedBundles } = seed;
  const [pinned, why] = [objectOf(seed.pinned), objectOf(seed.why)];
  return {
    ...{ reference, digest, from, path, tag, pinned, why },
    ...(template !== undefined && { template: { ...template } }),
    ...(mode !== 'strict' && { filter: mode }),
    ...(skipRelated.length > 0 && { skipRelated }),
    ...(skippedBundles.size > 0 && { skippedBundles: objectOf(skippedBundles) }),
    ...(seed.droppedBundles.size > 0 && { [DROPS_KEY]: objectOf(dropsOf(seed)) }),
  };
}

function dropsOf({ droppedBundles }: CatalogSeed): ReadonlyMap<string, JsonObject> {
  return new Map(
    [...droppedBundles].map(([name, { image, reason, lacks }]) => [
      name,
      { image, reason, ...(lacks !== undefined && { lacks }) },
    ]),
  );
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
  const skippedBundles = new Map(
    Object.entries(asObject(claim['skippedBundles'] ?? {}, 'skippedBundles')).map(([name, own]) => [
      name,
      asString(own, 'a reason'),
    ]),
  );
  const droppedBundles = dropsOfClaim(claim);
  const skipRelated = asArray(claim['skipRelated'] ?? [], 'skipRelated').map((own) =>
    asString(own, 'a pattern'),
  );
  const template = readTemplate(claim['template'], reference);
  const mode = modeOf(claim['filter'], reference);
  if (isRepository(path) && isTag(tag)) {
    const options = { template, mode, skipRelated, skippedBundles, droppedBundles };
    return { reference, digest, from, path, tag, pinned, why, ...options };
  }
  throw new BundleError('UNSUPPORTED_CONTENT', `the row of the catalog ${reference} is wrong`, {
    expected: 'a repository path and a tag',
    got: `${path}:${tag}`,
  });
}

/** @throws BundleError UNSUPPORTED_CONTENT, CONFIGURATION */
function readTemplate(value: Json | undefined, reference: string): SourceTemplate | undefined {
  if (value === undefined) return undefined;
  const { labels, annotations, spec, ...others } = asObject(value, 'template');
  const [odd] = Object.keys(others);
  if (odd !== undefined)
    throw new BundleError('UNSUPPORTED_CONTENT', `the row of ${reference} is wrong`, {
      expected: 'a template with labels, annotations and spec',
      got: odd,
    });
  const mappings = {
    labels: asObject(labels, 'labels'),
    annotations: asObject(annotations, 'annotations'),
    spec: asObject(spec, 'spec'),
  };
  try {
    return checkedTemplate(mappings, `the row of the catalog ${reference}`);
  } catch (error) {
    // Packing would have refused it: it is the bundle that is wrong, and no file of the user.
    const { message } = error as BundleError;
    throw new BundleError('UNSUPPORTED_CONTENT', message, { cause: error });
  }
}

function modeOf(filter: Json | undefined, reference: string): CatalogMode {
  if (filter === undefined) return 'strict';
  if (filter === 'oc-mirror') return filter;
  throw new BundleError('UNSUPPORTED_CONTENT', `the row of the catalog ${reference} is wrong`, {
    expected: 'a filter that is known: oc-mirror, or none',
    got: oneLine(JSON.stringify(filter)),
  });
}
