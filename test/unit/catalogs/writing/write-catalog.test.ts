import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import type { Catalog } from '../../../../src/catalogs/catalog.ts';
import type { PackageRequest } from '../../../../src/catalogs/filter/request.ts';
import { asCatalog, type FilterResult } from '../../../../src/catalogs/filter/result.ts';
import { filterStrictly } from '../../../../src/catalogs/filter/strict.ts';
import { catalogFiles } from '../../../../src/catalogs/reading/catalog-folder.ts';
import { type CatalogFile, readCatalog } from '../../../../src/catalogs/reading/read-catalog.ts';
import { filteredFiles, type WrittenFile } from '../../../../src/catalogs/writing/write-catalog.ts';
import { readAll, streamOf, utf8 } from '../../../../src/core/bytes.ts';
import { CATALOGS, fileOf } from '../../../support/catalogs.ts';

interface Filtered {
  readonly files: readonly CatalogFile[];
  readonly result: FilterResult;
  readonly written: readonly WrittenFile[];
}

async function filtered(
  files: readonly CatalogFile[],
  asked: readonly PackageRequest[],
  full = false,
): Promise<Filtered> {
  const catalog = await readCatalog(files);
  const result = filterStrictly(catalog, { catalog: 'c', full, packages: asked });
  const written: WrittenFile[] = [];
  for await (const file of filteredFiles(result, files)) written.push(file);
  return { files, result, written };
}

const fixture = (path: string): Promise<readonly CatalogFile[]> =>
  catalogFiles(join(CATALOGS, path));

/** A catalog without the places of its documents, which other files have elsewhere. */
function placeless(catalog: Catalog): unknown {
  const text = JSON.stringify(catalog, (key, value: unknown) =>
    key === 'place' ? undefined : value,
  );
  const read = JSON.parse(text) as Record<string, { name?: string; package?: string }[]>;
  const key = ({ name = '', package: own = '' }): string => `${own} ${name}`;
  for (const list of Object.values(read)) list.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return read;
}

async function readBack(written: readonly WrittenFile[]): Promise<Catalog> {
  return readCatalog(written);
}

/** Its content, which is as long as it says. */
async function textOf({ path, size, read }: WrittenFile): Promise<string> {
  const bytes = await readAll(read(), 10 ** 8, path);
  expect(bytes).toHaveLength(size);
  return utf8(bytes);
}

const range = (name: string, minVersion?: string, maxVersion?: string): PackageRequest => ({
  name,
  channels: [],
  ...(minVersion !== undefined && { minVersion }),
  ...(maxVersion !== undefined && { maxVersion }),
});

describe('a filtered catalog as files', () => {
  it.each<[string, readonly PackageRequest[], boolean?]>([
    ['real/mtv-operator-v4.22.catalog.json', []],
    ['real/mtv-operator-v4.22.catalog.json', [range('mtv-operator', '2.12.2', '2.12.4')]],
    ['real/jaeger-product.slim.jsonl', [range('jaeger-product', '1.42')]],
    ['real/node-observability-operator.catalog.json', []],
    [
      'oc-mirror/test-catalog-latest',
      [range('foo', '0.2.0', '0.3.0'), range('bar', undefined, '0.2.0')],
    ],
    ['oc-mirror/test-catalog-extra-blobs', []],
    ['oc-mirror/test-catalog-extra-blobs', [range('bar')], true],
  ])('is what the filter kept: %s, %j', async (path, asked, full) => {
    const { result, written } = await filtered(await fixture(path), asked, full);
    expect(placeless(await readBack(written))).toEqual(placeless(asCatalog(result)));
  });

  it('has the exact bytes of documents that stay as they are', async () => {
    const { files, result, written } = await filtered(
      await fixture('real/mtv-operator-v4.22.catalog.json'),
      [range('mtv-operator', '2.12.2', '2.12.4')],
    );
    expect(written.map(({ path }) => path)).toEqual(['mtv-operator/catalog.json']);
    const text = await textOf(written[0]!);
    for (const { bundle } of result.bundles) {
      const bytes = await readAll(files[0]!.read(bundle.place), 10 ** 7, 'the document');
      expect(bytes.length).toBeGreaterThan(10_000);
      expect(text).toContain(utf8(bytes));
    }
  });

  it('has documents of YAML in files of their own, one after the other', async () => {
    const { written } = await filtered(await fixture('oc-mirror/test-catalog-latest'), [
      range('bar', undefined, '0.2.0'),
    ]);
    expect(written.map(({ path }) => path)).toEqual(['bar/catalog.json', 'bar/catalog.yaml']);
    const yaml = await textOf(written[1]!);
    expect(yaml.match(/^---$/gm)).toHaveLength(2);
    expect(yaml).toMatch(/^---\nimage: quay\.io/);
  });

  it('changes only what a document is kept with: default channel, entries', async () => {
    const documents = [
      { schema: 'olm.package', Name: 'p', icon: { base64data: 'AA==' }, defaultChannel: 'b', x: 1 },
      {
        schema: 'olm.channel',
        package: 'p',
        name: 'a',
        entries: [
          { name: 'p.v1', custom: true },
          { name: 'p.v2', replaces: 'p.v1' },
        ],
        properties: [{ type: 't', value: 1 }],
      },
      { schema: 'olm.channel', package: 'p', name: 'b', entries: [{ name: 'p.v3' }] },
      ...['1', '2', '3'].map((major) => ({
        schema: 'olm.bundle',
        package: 'p',
        name: `p.v${major}`,
        image: 'registry.example.com/p:1',
        properties: [{ type: 'olm.package', value: { packageName: 'p', version: `${major}.0.0` } }],
      })),
    ];
    const { written } = await filtered([fileOf(documents)], [range('p', undefined, '1.0.0')]);
    const text = await textOf(written[0]!);
    expect(written.map(({ path }) => path)).toEqual(['p/catalog.json']);
    const [first, second] = text.split(/\n(?=\{)/).map((own) => JSON.parse(own) as unknown);
    expect(first).toEqual({ ...documents[0], defaultChannel: 'a' });
    expect(second).toEqual({ ...documents[1], entries: [{ name: 'p.v1', custom: true }] });
    expect(Object.keys(first as object)).toEqual(Object.keys(documents[0]!));
  });

  it('is refused where the catalog has changed meanwhile', async () => {
    const files = await fixture('oc-mirror/test-catalog-prune');
    const result = filterStrictly(await readCatalog(files), {
      catalog: 'c',
      full: false,
      packages: [],
    });
    const cut = files.map((file) => ({
      ...file,
      read: () => streamOf(Buffer.from('x')),
    }));
    const writing = async (): Promise<void> => {
      for await (const { path } of filteredFiles(result, cut)) expect(path).not.toBe('');
    };
    await expect(writing()).rejects.toMatchObject({ exitStatus: 20 });
  });
});
