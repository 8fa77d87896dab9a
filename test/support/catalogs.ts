import { join } from 'node:path';

import type { Catalog } from '../../src/catalogs/catalog.ts';
import { catalogFiles } from '../../src/catalogs/reading/catalog-folder.ts';
import { type CatalogFile, readCatalog } from '../../src/catalogs/reading/read-catalog.ts';
import { streamOf } from '../../src/core/bytes.ts';

export const CATALOGS = join(import.meta.dirname, '../../fixtures/catalogs');

/** A catalog of `fixtures/catalogs`, by its path there. */
export async function fixtureCatalog(path: string): Promise<Catalog> {
  return readCatalog(await catalogFiles(join(CATALOGS, path)));
}

/** A catalog of these documents, in one file. */
export async function catalogOf(documents: readonly unknown[]): Promise<Catalog> {
  return readCatalog([fileOf(documents)]);
}

/** A file of these documents, as JSON, one in a line. */
export function fileOf(documents: readonly unknown[], path = 'catalog.json'): CatalogFile {
  const bytes = Buffer.from(documents.map((document) => `${JSON.stringify(document)}\n`).join(''));
  return {
    path,
    read: (range) => streamOf(range === undefined ? bytes : bytes.subarray(range.start, range.end)),
  };
}
