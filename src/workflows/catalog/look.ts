import type { Catalog } from '../../catalogs/catalog.ts';
import { checkCatalog } from '../../catalogs/check/check.ts';
import type { Finding } from '../../catalogs/check/finding.ts';
import { type Dependency, dependenciesOf } from '../../catalogs/dependencies.ts';
import { type CatalogDifference, compareCatalogs } from '../../catalogs/diff.ts';
import { nearestHint } from '../../catalogs/nearest.ts';
import { type PackageContent, packagesOf } from '../../catalogs/packages.ts';
import type { Context } from '../../core/context.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { oneLine } from '../../core/text.ts';
import {
  type CatalogSource,
  type OpenedCatalog,
  withCatalog,
} from '../../extracting/catalog/open-catalog.ts';

/** What a report says of the catalog that it is about. */
export interface CatalogFacts {
  readonly name: string;
  /** The digest of the image that it was read from, if it was. */
  readonly image: Digest | undefined;
}

export interface CatalogReport extends CatalogFacts {
  readonly catalog: Catalog;
  readonly packages: ReadonlyMap<string, PackageContent>;
}

/** Reads a catalog, to list it. @throws BundleError as reading does */
export async function listCatalog(source: CatalogSource, context: Context): Promise<CatalogReport> {
  return withCatalog(source, context, async (opened) => reportOf(opened));
}

function reportOf({ name, image, catalog }: OpenedCatalog): CatalogReport {
  return { name, image, catalog, packages: packagesOf(catalog) };
}

export interface PackageReport extends CatalogFacts {
  readonly content: PackageContent;
  /** What the heads of its channels require. */
  readonly dependencies: readonly Dependency[];
}

/** One package of a catalog. @throws BundleError NOT_FOUND; as reading does */
export async function showPackage(
  source: CatalogSource,
  wanted: { readonly package: string; readonly channel: string | undefined },
  context: Context,
): Promise<PackageReport> {
  return withCatalog(source, context, async ({ name, image, catalog }) => {
    const content = requirePackage(packagesOf(catalog), wanted.package);
    if (wanted.channel !== undefined && !content.channels.has(wanted.channel))
      throw unknown(`package ${content.name} has no channel`, wanted.channel, [
        ...content.channels.keys(),
      ]);
    const heads = [...content.channels.keys()]
      .filter((channel) => wanted.channel === undefined || channel === wanted.channel)
      .flatMap((channel) => content.bundles.get(content.walk(channel).head ?? '') ?? []);
    return {
      ...{ name, image, content },
      dependencies: dependenciesOf([...new Set(heads)], catalog.bundles),
    };
  });
}

/** @throws BundleError NOT_FOUND, with the nearest names */
export function requirePackage(
  packages: ReadonlyMap<string, PackageContent>,
  name: string,
): PackageContent {
  const content = packages.get(name);
  if (content !== undefined) return content;
  throw unknown('the catalog has no package', name, [...packages.keys()]);
}

function unknown(what: string, name: string, names: readonly string[]): BundleError {
  return new BundleError('NOT_FOUND', `${what} ${oneLine(name)}`, {
    subject: name,
    hint: nearestHint(name, names),
  });
}

export interface CheckReport extends CatalogFacts {
  readonly packages: number;
  readonly bundles: number;
  readonly findings: readonly Finding[];
}

/** What OLM would refuse of a catalog. @throws BundleError as reading does */
export async function checkCatalogAt(
  source: CatalogSource,
  context: Context,
): Promise<CheckReport> {
  return withCatalog(source, context, async ({ name, image, catalog }) => ({
    ...{ name, image },
    packages: catalog.packages.length,
    bundles: catalog.bundles.length,
    findings: checkCatalog(catalog),
  }));
}

export interface DiffReport {
  readonly before: CatalogFacts;
  readonly after: CatalogFacts;
  readonly difference: CatalogDifference;
}

/** Compares two catalogs. @throws BundleError as reading them does */
export async function diffCatalogs(
  before: CatalogSource,
  after: CatalogSource,
  context: Context,
): Promise<DiffReport> {
  return withCatalog(before, context, async (old) =>
    withCatalog(after, context, async (now) => ({
      before: { name: old.name, image: old.image },
      after: { name: now.name, image: now.image },
      difference: compareCatalogs(old.catalog, now.catalog),
    })),
  );
}
