import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Catalog, ChannelEntry } from '../../../../src/catalogs/catalog.ts';
import { checkChannelGraph } from '../../../../src/catalogs/check/channel-graph.ts';
import { checkCatalog } from '../../../../src/catalogs/check/check.ts';
import { ChannelWalk } from '../../../../src/catalogs/filter/channel-walk.ts';
import type { CatalogRequest, PackageRequest } from '../../../../src/catalogs/filter/request.ts';
import {
  asCatalog,
  describeReason,
  type FilterResult,
} from '../../../../src/catalogs/filter/result.ts';
import { filterStrictly } from '../../../../src/catalogs/filter/strict.ts';
import { versionOf } from '../../../../src/catalogs/catalog.ts';
import { BundleError } from '../../../../src/core/errors.ts';
import { fixtureCatalog } from '../../../support/catalogs.ts';

const PATHS = [
  'real/mtv-operator-v4.22.catalog.json',
  'real/jaeger-product.slim.jsonl',
  'real/aws-load-balancer-operator.catalog.json',
  'real/node-observability-operator.catalog.json',
  'oc-mirror/test-catalog-latest',
  'oc-mirror/test-catalog-diff',
  'oc-mirror/test-catalog-multi',
  'oc-mirror/test-catalog-prune',
  'oc-mirror/test-catalog-prune-diff',
  'oc-mirror/test-catalog-extra-blobs',
];

const catalogs = await Promise.all(PATHS.map(fixtureCatalog));

/** The versions of a package, whole, without their prerelease, and cut short, in their order. */
function boundsIn(catalog: Catalog, ofPackage: string): readonly string[] {
  const versions = catalog.bundles
    .filter((bundle) => bundle.package === ofPackage)
    .map((bundle) => versionOf(bundle).split('+')[0]!);
  const cores = versions.map((version) => version.split('-')[0]!);
  const all = [...versions, ...cores, ...cores.map((core) => core.split('.', 2).join('.'))];
  return [...new Set([...all, '0.0.0', '99.0.0'])];
}

/** A request for some packages of a catalog, as somebody could write it. */
function requestFor(catalog: Catalog): fc.Arbitrary<CatalogRequest> {
  const bounds = (
    name: string,
  ): fc.Arbitrary<Pick<PackageRequest, 'minVersion' | 'maxVersion'>> => {
    const version = fc.constantFrom(...boundsIn(catalog, name));
    return fc.oneof(
      fc.constant({}),
      version.map((minVersion) => ({ minVersion })),
      version.map((maxVersion) => ({ maxVersion })),
      fc.tuple(version, version).map(([minVersion, maxVersion]) => ({ minVersion, maxVersion })),
      version.map((both) => ({ minVersion: both, maxVersion: both })),
    );
  };
  const asked = (name: string): fc.Arbitrary<PackageRequest> => {
    const names = catalog.channels.filter((own) => own.package === name).map((own) => own.name);
    const channel = fc
      .tuple(fc.constantFrom(...names), bounds(name))
      .map(([own, range]) => ({ name: own, ...range }));
    const channels = fc.uniqueArray(channel, { selector: (own) => own.name });
    return fc
      .tuple(bounds(name), channels, fc.option(fc.constantFrom(...names)), fc.boolean())
      .map(([range, own, defaultChannel, isPlain]) => ({
        name,
        channels: own,
        ...(isPlain ? {} : range),
        ...(defaultChannel !== null && { defaultChannel }),
      }));
  };
  const packages = catalog.packages.map(({ name }) => asked(name));
  return fc.tuple(fc.subarray(packages), fc.boolean()).chain(([own, full]) =>
    fc.tuple(...own).map((all) => ({
      catalog: 'registry.example.com/ops/index:v4.22',
      full: full && all.every((one) => !hasRange(one)),
      packages: all,
    })),
  );
}

function hasRange({ minVersion, maxVersion, channels }: PackageRequest): boolean {
  return [{ minVersion, maxVersion }, ...channels].some(
    (own) => own.minVersion !== undefined || own.maxVersion !== undefined,
  );
}

/** The result; `undefined` where the request itself cannot be met. */
function filtered(catalog: Catalog, request: CatalogRequest): FilterResult | undefined {
  try {
    return filterStrictly(catalog, request, { allowMissing: true });
  } catch (error) {
    if (error instanceof BundleError && error.code === 'CONFIGURATION') return undefined;
    throw error;
  }
}

const keptIn = (result: FilterResult): readonly string[] =>
  result.bundles.map(({ bundle }) => `${bundle.package}/${bundle.name}`);

const anyRequest = fc
  .constantFrom(...catalogs)
  .chain((catalog) => requestFor(catalog).map((request) => ({ catalog, request })));

describe('the strict filter', () => {
  it('gives catalogs that OLM takes, and a reason for each bundle, for 5,000 requests', () => {
    let results = 0;
    fc.assert(
      fc.property(anyRequest, ({ catalog, request }) => {
        const result = filtered(catalog, request);
        if (result === undefined) return;
        results += 1;
        expect(checkCatalog(asCatalog(result))).toEqual([]);
        for (const { reasons } of result.bundles) {
          expect(reasons.length).toBeGreaterThan(0);
          expect(reasons.map(describeReason)).not.toContain('');
        }
      }),
      { numRuns: 5000 },
    );
    expect(results).toBeGreaterThan(2500);
  });

  it('loses no bundle where a range is widened', () => {
    const widened = fc.constantFrom(...catalogs).chain((catalog) =>
      fc.constantFrom(...catalog.packages).chain(({ name }) => {
        const version = fc.option(fc.constantFrom(...boundsIn(catalog, name)), { nil: undefined });
        return fc
          .tuple(version, version, fc.boolean(), fc.boolean())
          .map(([min, max, dropsMin, dropsMax]) => ({
            catalog,
            name,
            min,
            max,
            dropsMin,
            dropsMax,
          }));
      }),
    );
    fc.assert(
      fc.property(widened, ({ catalog, name, min, max, dropsMin, dropsMax }) => {
        const request = (minVersion?: string, maxVersion?: string): CatalogRequest => ({
          catalog: 'registry.example.com/ops/index:v4.22',
          full: false,
          packages: [
            {
              name,
              channels: [],
              ...(minVersion !== undefined && { minVersion }),
              ...(maxVersion !== undefined && { maxVersion }),
            },
          ],
        });
        // Without any bound only heads are asked for, which is no range.
        const low = dropsMin ? '0.0.0' : min;
        const high = dropsMax ? '99.0.0' : max;
        if (min === undefined && max === undefined) return;
        const [narrow, wide] = [
          filtered(catalog, request(min, max)),
          filtered(catalog, request(low, high)),
        ];
        if (narrow === undefined) return;
        expect(wide).toBeDefined();
        expect(keptIn(wide!)).toEqual(expect.arrayContaining([...keptIn(narrow)]));
      }),
      { numRuns: 3000 },
    );
  });
});

/** Channels of up to eight entries, of which OLM takes every one. */
const validChannel = fc
  .integer({ min: 1, max: 8 })
  .chain((count) => {
    const names = Array.from({ length: count }, (_, index) => `v${index}`);
    const entry = fc.tuple(
      fc.constantFrom('', ...names, 'gone'),
      fc.subarray([...names, 'gone']).map((skips) => skips.slice(0, 3)),
    );
    return fc.tuple(...names.map(() => entry)).map((all) =>
      all.map(([replaces, skips], index): ChannelEntry => {
        // Mostly down a chain, as people write them.
        const below = names[index - 1] ?? '';
        return {
          name: names[index]!,
          replaces: replaces === 'gone' || replaces === '' ? below : replaces,
          skips: skips.filter((skip) => skip !== names[index]),
          skipRange: '',
        };
      }),
    );
  })
  .map((entries) => ({
    name: 'stable',
    package: 'p',
    entries,
    place: { file: 'f', index: 0, start: 0, end: 0, format: 'json' as const },
  }))
  .filter((channel) => [...checkChannelGraph(channel)].length === 0);

describe('what has to be kept of a channel', () => {
  it('is a channel that OLM takes, and grows with what is wanted', () => {
    fc.assert(
      fc.property(
        validChannel.chain((channel) => {
          const names = channel.entries.map(({ name }) => name);
          return fc.tuple(
            fc.constant(channel),
            fc.subarray(names, { minLength: 1 }),
            fc.subarray(names),
          );
        }),
        ([channel, wanted, more]) => {
          const walk = new ChannelWalk(channel);
          const kept = new Set(walk.closureOf(wanted).keys());
          const entries = channel.entries.filter(({ name }) => kept.has(name));
          expect([...checkChannelGraph({ ...channel, entries })]).toEqual([]);
          const larger = walk.closureOf([...wanted, ...more]);
          expect([...larger.keys()]).toEqual(expect.arrayContaining([...kept, ...wanted]));
        },
      ),
      { numRuns: 3000 },
    );
  });
});
