import type { Json, JsonObject } from '../../core/json.ts';
import { compareText, optionWords } from '../../core/text.ts';
import { claimDigest } from '../claim-digest.ts';
import type { Kind } from '../kind.ts';
import { CATALOG, type CatalogFacts, catalogLabel, expandCatalog } from './expand.ts';
import { dropBundles } from './dropping/drop-bundles.ts';
import { findCatalog, settleCatalog } from './find.ts';
import type { CatalogPartRequest } from './request.ts';
import { catalogExtras, catalogResources } from './resources.ts';
import { type CatalogSeed, identityOf, readClaim } from './seed.ts';

/** A catalog of operators, whole or filtered, with the images of its bundles. */
export const catalogKind: Kind<CatalogPartRequest, CatalogSeed, CatalogFacts> = {
  name: CATALOG,
  accompanies: true,
  find: (request, sources, options) => findCatalog(request, sources, options),
  drop: dropBundles,
  settle: settleCatalog,
  read: async (claim) => readClaim(claim),
  labelOf: ({ reference }) => catalogLabel(typeof reference === 'string' ? reference : '?'),
  namesOf: ({ reference, digest }) =>
    [reference, digest].filter((name) => typeof name === 'string'),
  packWords: (claims) => claims.flatMap(wordsOf),
  digestOf: identityOf,
  digestOfClaim: claimDigest(readClaim, identityOf),
  expand: expandCatalog,
  compare: (a, b) =>
    compareText(a.path, b.path) ||
    compareText(a.tag, b.tag) ||
    compareText(a.reference, b.reference),
  bundleName: (parts) => {
    const [first, ...others] = parts;
    if (first === undefined || !('path' in first) || others.length > 0) return undefined;
    const { path, tag } = first;
    return `${path.slice(path.lastIndexOf('/') + 1)}-${tag.replace(/^(sha256-.{12}).*$/, '$1')}`;
  },
  newerThan: () => [],
  resources: catalogResources,
  extras: catalogExtras,
};

/** Which operators were asked for is not known any more. */
function wordsOf({ reference, filter, skipRelated }: JsonObject): readonly string[] {
  if (typeof reference !== 'string') return [];
  const patterns = Array.isArray(skipRelated) ? (skipRelated as readonly Json[]) : [];
  return [
    ...optionWords('catalog', [reference]),
    ...(filter === 'oc-mirror' ? ['--filter', filter] : []),
    ...patterns.flatMap((own) =>
      typeof own === 'string' ? optionWords('skip-related', [own]) : [],
    ),
  ];
}
