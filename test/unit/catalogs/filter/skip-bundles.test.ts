import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Catalog } from '../../../../src/catalogs/catalog.ts';
import { checkCatalog } from '../../../../src/catalogs/check/check.ts';
import { asCatalog, type FilterResult } from '../../../../src/catalogs/filter/result.ts';
import { filterStrictly } from '../../../../src/catalogs/filter/strict.ts';
import { filteredFiles } from '../../../../src/catalogs/writing/write-catalog.ts';
import { readCatalog } from '../../../../src/catalogs/reading/read-catalog.ts';
import { BundleError } from '../../../../src/core/errors.ts';
import { fileOf, fixtureCatalog } from '../../../support/catalogs.ts';

interface Entry {
  readonly name: string;
  readonly replaces?: string;
  readonly skips?: readonly string[];
}

/** Documents of package `p`, with a channel for each list of entries. */
function documents(channels: Readonly<Record<string, readonly Entry[]>>): readonly unknown[] {
  const names = [...new Set(Object.values(channels).flatMap((own) => own.map(({ name }) => name)))];
  return [
    { schema: 'olm.package', name: 'p', defaultChannel: Object.keys(channels)[0] },
    ...Object.entries(channels).map(([name, entries]) => ({
      ...{ schema: 'olm.channel', package: 'p', name, entries },
    })),
    ...names.map((name) => ({
      ...{ schema: 'olm.bundle', package: 'p', name, image: 'registry.example.com/p:1' },
      properties: [
        { type: 'olm.package', value: { packageName: 'p', version: `${name.slice(1)}.0.0` } },
      ],
    })),
    {
      ...{ schema: 'olm.deprecations', package: 'p' },
      entries: [{ reference: { schema: 'olm.bundle', name: 'v2' }, message: 'old' }],
    },
  ];
}

const CHAIN: readonly Entry[] = [
  { name: 'v1' },
  { name: 'v2', replaces: 'v1' },
  { name: 'v3', replaces: 'v2' },
];

const catalogOf = (channels: Readonly<Record<string, readonly Entry[]>>): Promise<Catalog> =>
  readCatalog([fileOf(documents(channels))]);

const without = (catalog: Catalog, names: readonly string[], full = true): FilterResult =>
  filterStrictly(
    catalog,
    { catalog: 'x', full, packages: [{ name: 'p', channels: [] }] },
    { skipBundles: Object.fromEntries(names.map((name) => [name, 'it is broken'])) },
  );

const channelsIn = ({ channels }: FilterResult): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    channels.map(({ from, entries }) => [from.name, entries.map(({ name }) => name)]),
  );

const skippedIn = ({ notes }: FilterResult): readonly string[] =>
  notes.flatMap((note) =>
    note.type === 'bundle-skipped' ? [`${note.bundle}: ${note.cause}`] : [],
  );

describe('a catalog without some bundles', () => {
  it('has the version before as its head, where the head is left out', async () => {
    const catalog = await catalogOf({ stable: CHAIN });
    expect(channelsIn(without(catalog, ['v3'], false))).toEqual({ stable: ['v2'] });
    expect(channelsIn(without(catalog, ['v3']))).toEqual({ stable: ['v1', 'v2'] });
  });

  it('goes without versions whose updates led over that one, and says so', async () => {
    const result = without(await catalogOf({ stable: CHAIN }), ['v2']);
    expect(channelsIn(result)).toEqual({ stable: ['v3'] });
    expect(skippedIn(result)).toEqual(['v2: it is broken', 'v1: updates from it led over v2']);
    expect(result.deprecations).toEqual([]);
  });

  it('says nothing of older versions where only the newest is asked for', async () => {
    const result = without(await catalogOf({ stable: CHAIN }), ['v2'], false);
    expect(skippedIn(result)).toEqual(['v2: it is broken']);
  });

  it('keeps versions that another one skips', async () => {
    const channel = [...CHAIN.slice(0, 2), { name: 'v3', replaces: 'v2', skips: ['v1'] }];
    const result = without(await catalogOf({ stable: channel }), ['v2']);
    expect(channelsIn(result)).toEqual({ stable: ['v1', 'v3'] });
  });

  it('follows what the old head replaced, and not what it skipped', async () => {
    const channel = [{ name: 'v1' }, { name: 'v3' }, { name: 'v4', replaces: 'v1', skips: ['v3'] }];
    const result = without(await catalogOf({ stable: channel }), ['v4']);
    expect(channelsIn(result)).toEqual({ stable: ['v1'] });
  });

  it('keeps a version that another channel leads to', async () => {
    const result = without(await catalogOf({ stable: CHAIN, old: [{ name: 'v1' }] }), ['v2']);
    expect(channelsIn(result)).toEqual({ stable: ['v3'], old: ['v1'] });
    expect(result.bundles.map(({ bundle }) => bundle.name)).toEqual(['v1', 'v3']);
  });

  it('has another default channel, where nothing of it is left', async () => {
    const result = without(await catalogOf({ next: [{ name: 'v4' }], stable: CHAIN }), ['v4']);
    expect(result.packages[0]!.defaultChannel).toBe('stable');
    expect(result.notes).toContainEqual({
      ...{ type: 'channel-dropped', package: 'p', channel: 'next', why: 'nothing is left of it' },
    });
  });

  it('is written with the entries that are left', async () => {
    const files = [fileOf(documents({ stable: CHAIN }))];
    const result = without(await readCatalog(files), ['v3']);
    const written = [];
    for await (const file of filteredFiles(result, files)) written.push(file);
    const again = await readCatalog(written);
    expect(again.channels[0]!.entries.map(({ name }) => name)).toEqual(['v1', 'v2']);
    expect(again.bundles.map(({ name }) => name)).toEqual(['v1', 'v2']);
  });

  it('is refused where nothing of a package is left that is asked for', async () => {
    const catalog = await catalogOf({ stable: [{ name: 'v1' }] });
    expect(() => without(catalog, ['v1'])).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION' }),
    );
  });

  it('goes without a bundle of one package, where it is named with that', async () => {
    const catalog = await catalogOf({ stable: CHAIN });
    expect(channelsIn(without(catalog, ['p/v3']))).toEqual({ stable: ['v1', 'v2'] });
    const other = without(catalog, ['q/v3']);
    expect(channelsIn(other)).toEqual({ stable: ['v1', 'v2', 'v3'] });
    expect(other.notes).toEqual([{ type: 'skip-unknown', bundle: 'q/v3' }]);
  });

  it('tells of a name that no bundle has', async () => {
    const result = without(await catalogOf({ stable: CHAIN }), ['v9']);
    expect(result.notes).toEqual([{ type: 'skip-unknown', bundle: 'v9' }]);
    expect(channelsIn(result)).toEqual({ stable: ['v1', 'v2', 'v3'] });
  });

  it('is one that OLM takes, whatever is left out', async () => {
    const catalogs = await Promise.all(
      [
        'real/mtv-operator-v4.22.catalog.json',
        'real/jaeger-product.slim.jsonl',
        'real/aws-load-balancer-operator.catalog.json',
        'oc-mirror/test-catalog-latest',
        'oc-mirror/test-catalog-diff',
        'oc-mirror/test-catalog-prune',
      ].map(fixtureCatalog),
    );
    const any = fc.constantFrom(...catalogs).chain((catalog) => {
      const names = [...new Set(catalog.bundles.map(({ name }) => name))];
      return fc.tuple(fc.constant(catalog), fc.subarray(names, { minLength: 1 }), fc.boolean());
    });
    let results = 0;
    fc.assert(
      fc.property(any, ([catalog, names, full]) => {
        const packages = full ? catalog.packages.map(({ name }) => ({ name, channels: [] })) : [];
        let result: FilterResult;
        try {
          result = filterStrictly(
            catalog,
            { catalog: 'x', full, packages },
            { skipBundles: Object.fromEntries(names.map((name) => [name, ''])) },
          );
        } catch (error) {
          // Nothing of a package is left.
          if (error instanceof BundleError && error.code === 'CONFIGURATION') return;
          throw error;
        }
        results += 1;
        expect(checkCatalog(asCatalog(result))).toEqual([]);
        expect(result.bundles.map(({ bundle }) => bundle.name)).not.toContain(names[0]);
      }),
      { numRuns: 500 },
    );
    expect(results).toBeGreaterThan(200);
  });
});
