import { dirname, join } from 'node:path';

import { checkCatalog } from '../../catalogs/check/check.ts';
import type { Finding } from '../../catalogs/check/finding.ts';
import { type Dependency, dependenciesOf } from '../../catalogs/dependencies.ts';
import { filterAsOcMirror } from '../../catalogs/filter/oc-mirror.ts';
import type { CatalogRequest } from '../../catalogs/filter/request.ts';
import { asCatalog, type FilterResult } from '../../catalogs/filter/result.ts';
import { filterStrictly, type StrictOptions } from '../../catalogs/filter/strict.ts';
import { type Absence, absences } from '../../catalogs/filter/why-not.ts';
import { type PackageContent, packagesOf } from '../../catalogs/packages.ts';
import { filteredFiles } from '../../catalogs/writing/write-catalog.ts';
import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import { MAX_IMAGE_SET_BYTES } from '../../core/limits.ts';
import { few, oneLine } from '../../core/text.ts';
import {
  type CatalogSource,
  type OpenedCatalog,
  withCatalog,
} from '../../extracting/catalog/open-catalog.ts';
import { listFolder, makeFolder, removeWritten } from '../../files/folder.ts';
import { isThere } from '../../files/look.ts';
import { readGivenFile } from '../../files/small-file.ts';
import { onDisk, writeWhole } from '../../files/write-whole.ts';
import { readImageSet, requireImageSet } from '../../image-sets/read.ts';
import { textOfFile } from '../image-set/encoding.ts';
import { type CatalogFacts, requirePackage } from './look.ts';

export const FILTER_MODES = ['strict', 'oc-mirror'] as const;
export type FilterMode = (typeof FILTER_MODES)[number];

/** What of a catalog is wanted: an entry of a file, or packages by name. */
export interface FilterRequest extends StrictOptions {
  readonly mode: FilterMode;
  readonly config: string | undefined;
  /** The catalog of the file that is meant, as it is written there. */
  readonly entry: string | undefined;
  /** Packages whose heads are wanted, where there is no file. */
  readonly packages: readonly string[];
}

export interface FilterReport extends CatalogFacts {
  readonly mode: FilterMode;
  readonly request: CatalogRequest;
  readonly result: FilterResult;
  readonly dependencies: readonly Dependency[];
  /** What the check says of the result: never anything in the strict mode. */
  readonly findings: readonly Finding[];
}

export interface WhyReport extends FilterReport {
  readonly content: PackageContent;
  /** Why bundles of the package are not kept, by name. */
  readonly absences: ReadonlyMap<string, readonly Absence[]>;
}

/**
 * What a filter keeps of one package, and why, and why not the rest.
 * @throws BundleError NOT_FOUND for a package that the catalog does not have; as the filters and reading do
 */
export async function whyPackage(
  source: CatalogSource,
  request: FilterRequest & { readonly package: string },
  context: Context,
): Promise<WhyReport> {
  const asked = await requestOf(source.source, request);
  return withCatalog(source, context, async (opened) => {
    const content = requirePackage(packagesOf(opened.catalog), request.package);
    const report = filtered(opened, asked, request);
    return { ...report, content, absences: absences(content, asked, report.result) };
  });
}

export interface WrittenReport extends FilterReport {
  readonly folder: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/**
 * Filters a catalog as `pack` would, and writes the result into a new or empty folder.
 * @throws BundleError USAGE for a folder that holds something; DISK; NOT_FOUND, CONFIGURATION,
 * UNSUPPORTED_CONTENT as the filters do; as reading does
 */
export async function writeFilteredCatalog(
  source: CatalogSource,
  request: FilterRequest & { readonly folder: string },
  context: Context,
): Promise<WrittenReport> {
  const { folder } = request;
  if ((await isThere(folder)) && (await listFolder(folder)).length > 0)
    throw new BundleError('USAGE', `${folder} holds something already`, {
      hint: 'Name a new folder, or an empty one.',
    });
  const asked = await requestOf(source.source, request);
  return withCatalog(source, context, async (opened) => {
    const report = filtered(opened, asked, request);
    const files: { path: string; size: number }[] = [];
    const wasThere = await isThere(folder);
    try {
      for await (const { path, size, read } of filteredFiles(report.result, opened.files)) {
        const place = join(folder, path);
        files.push({ path, size });
        await onDisk('make the folder of', place, async () => makeFolder(dirname(place)));
        await writeWhole(place, read());
      }
    } catch (error) {
      // Half a catalog looks like one.
      await removeWritten(
        folder,
        files.map(({ path }) => path),
        wasThere,
      );
      throw error;
    }
    return { ...report, folder, files };
  });
}

function filtered(
  { name, image, catalog }: OpenedCatalog,
  asked: CatalogRequest,
  request: FilterRequest,
): FilterReport {
  const { mode } = request;
  const result =
    mode === 'strict' ? filterStrictly(catalog, asked, request) : filterAsOcMirror(catalog, asked);
  const kept = result.bundles.map(({ bundle }) => bundle);
  return {
    ...{ name, image, mode, request: asked, result },
    dependencies: dependenciesOf(kept, catalog.bundles),
    findings: mode === 'strict' ? [] : checkCatalog(asCatalog(result)),
  };
}

/** @throws BundleError USAGE for neither or both; CONFIGURATION, NOT_FOUND for the file */
async function requestOf(
  source: string,
  { config, entry, packages }: FilterRequest,
): Promise<CatalogRequest> {
  if (config === undefined)
    return {
      catalog: source,
      full: false,
      packages: packages.map((name) => ({ name, channels: [] })),
    };
  const bytes = await readGivenFile(config, MAX_IMAGE_SET_BYTES, 'the file');
  const text = textOfFile(bytes, config);
  const { operators } = requireImageSet(readImageSet(text), config);
  const wanted = entry ?? (operators.length === 1 ? operators[0]!.catalog : source);
  const found = operators.find(({ catalog }) => catalog === wanted);
  if (found !== undefined) return found;
  const names = operators.map(({ catalog }) => catalog);
  throw new BundleError('NOT_FOUND', `${config} has no catalog ${oneLine(wanted)}`, {
    subject: config,
    hint:
      names.length === 0
        ? 'Write the catalog and its packages under mirror.operators.'
        : `Name the one that is meant with --entry: ${few(names).join(', ')}.`,
  });
}
