import { describe, expect, it } from 'vitest';

import type { Catalog } from '../../../../src/catalogs/catalog.ts';
import type { CatalogRequest, PackageRequest } from '../../../../src/catalogs/filter/request.ts';
import { filterAsOcMirror } from '../../../../src/catalogs/filter/oc-mirror.ts';
import { describeReason, type FilterResult } from '../../../../src/catalogs/filter/result.ts';
import { filterStrictly, type StrictOptions } from '../../../../src/catalogs/filter/strict.ts';
import { catalogOf, fixtureCatalog } from '../../../support/catalogs.ts';

const latest = await fixtureCatalog('oc-mirror/test-catalog-latest');
const jaeger = await fixtureCatalog('real/jaeger-product.slim.jsonl');

type Asked = Omit<PackageRequest, 'channels'> & Partial<PackageRequest>;

function filter(
  catalog: Catalog,
  asked: readonly Asked[],
  { full = false, ...options }: StrictOptions & { readonly full?: boolean } = {},
): FilterResult {
  const request: CatalogRequest = {
    catalog: 'registry.example.com/ops/index:v4.22',
    full,
    packages: asked.map((own) => ({ ...own, channels: own.channels ?? [] })),
  };
  return filterStrictly(catalog, request, options);
}

/** Channels with their entries. */
const channelsIn = (result: FilterResult): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    result.channels.map(({ from, entries }) => [
      `${from.package}/${from.name}`,
      entries.map(({ name }) => name.replace(/^[a-z-]+\.v/, '')),
    ]),
  );

const reasonsIn = (result: FilterResult): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    result.bundles.map(({ bundle, reasons }) => [bundle.name, reasons.map(describeReason)]),
  );

/** Package `p` with a channel for each list of versions; each version replaces the one before. */
async function made(
  channels: Readonly<Record<string, readonly string[]>>,
  more: readonly unknown[] = [],
): Promise<Catalog> {
  const versions = [...new Set(Object.values(channels).flat())];
  return catalogOf([
    { schema: 'olm.package', name: 'p', defaultChannel: Object.keys(channels)[0] },
    ...Object.entries(channels).map(([name, own]) => ({
      schema: 'olm.channel',
      package: 'p',
      name,
      entries: own.map((version, index) => ({
        name: `p.v${version}`,
        ...(index > 0 && { replaces: `p.v${own[index - 1]!}` }),
      })),
    })),
    ...versions.map((version) => bundle('p', version)),
    ...more,
  ]);
}

function bundle(
  ofPackage: string,
  version: string,
  properties: readonly { readonly type: string; readonly value: unknown }[] = [],
): unknown {
  return {
    schema: 'olm.bundle',
    package: ofPackage,
    name: `${ofPackage}.v${version}`,
    image: `registry.example.com/${ofPackage}@sha256:${'0'.repeat(64)}`,
    properties: [
      { type: 'olm.package', value: { packageName: ofPackage, version } },
      ...properties,
    ],
  };
}

describe('the strict filter', () => {
  it('refuses a catalog without operators, unless all of it is asked for', async () => {
    const empty = await catalogOf([]);
    const refusal = expect.objectContaining({
      code: 'NOT_FOUND',
      message: expect.stringContaining('has no operators') as string,
    }) as Error;
    expect(() => filter(empty, [])).toThrow(refusal);
    const request = { catalog: 'r.io/index:v1', full: false, packages: [] };
    expect(() => filterAsOcMirror(empty, request)).toThrow(refusal);
    expect(filter(empty, [], { full: true }).packages).toEqual([]);
    expect(() => filter(empty, [{ name: 'p' }])).toThrow(
      expect.objectContaining({
        hint: expect.stringMatching(/^Nothing of that sort is there\. /) as string,
      }) as Error,
    );
  });

  it('keeps the heads of all channels where nothing is asked for', () => {
    const result = filter(latest, []);
    expect(channelsIn(result)).toEqual({
      'bar/alpha': ['1.0.0'],
      'bar/stable': ['1.0.0'],
      'baz/stable': ['1.1.0'],
      'foo/beta': ['0.3.1'],
    });
    expect(reasonsIn(result)['bar.v1.0.0']).toEqual(['head of alpha', 'head of stable']);
    expect(result.notes).toEqual([]);
  });

  it('keeps all of the channels that are named with full', () => {
    const result = filter(latest, [{ name: 'bar', channels: [{ name: 'stable' }] }], {
      full: true,
    });
    expect(channelsIn(result)).toEqual({ 'bar/stable': ['1.0.0'] });
    expect(reasonsIn(filter(latest, [{ name: 'foo' }], { full: true }))).toMatchObject({
      'foo.v0.1.0': ['all of beta'],
    });
  });

  it('keeps what links versions in range, and says so', () => {
    const result = filter(latest, [{ name: 'foo', minVersion: '0.2.0', maxVersion: '0.3.0' }]);
    expect(channelsIn(result)).toEqual({ 'foo/beta': ['0.2.0', '0.3.0', '0.3.1'] });
    expect(reasonsIn(result)).toEqual({
      'foo.v0.2.0': ['in range'],
      'foo.v0.3.0': ['in range'],
      'foo.v0.3.1': ['links 0.3.0'],
    });
  });

  it('drops channels without a version in range, and takes another default channel', () => {
    const result = filter(latest, [{ name: 'bar', maxVersion: '0.2.0' }]);
    expect(channelsIn(result)).toEqual({ 'bar/alpha': ['0.1.0', '0.2.0'] });
    expect(result.packages).toMatchObject([{ defaultChannel: 'alpha' }]);
    expect(result.notes).toEqual([
      { type: 'channel-dropped', package: 'bar', channel: 'stable' },
      { type: 'default-channel', package: 'bar', was: 'stable', is: 'alpha' },
    ]);
  });

  it('pins a version in the channels that have it', async () => {
    const catalog = await made({ stable: ['1.0.0', '2.0.0'], candidate: ['2.0.0', '3.0.0'] });
    const pinned = filter(catalog, [{ name: 'p', minVersion: '1.0.0', maxVersion: '1.0.0' }]);
    expect(channelsIn(pinned)).toEqual({ 'p/stable': ['1.0.0'] });
    const both = filter(catalog, [{ name: 'p', minVersion: '2.0.0', maxVersion: '2.0.0' }]);
    expect(channelsIn(both)).toEqual({ 'p/stable': ['2.0.0'], 'p/candidate': ['2.0.0'] });
  });

  it('takes builds of Red Hat for versions, and says which oc-mirror would leave out', () => {
    const result = filter(jaeger, [{ name: 'jaeger-product', minVersion: '1.47.1' }]);
    expect(result.bundles.map((own) => own.bundle.name)).toEqual([
      'jaeger-operator.v1.47.1-5',
      'jaeger-operator.v1.51.0-1',
    ]);
    expect(result.notes).toEqual([
      { type: 'prereleases', package: 'jaeger-product', versions: ['1.47.1-5', '1.51.0-1'] },
    ]);
  });

  it('keeps both of two bundles that differ in build metadata alone', () => {
    const asked = { name: 'jaeger-product', minVersion: '1.42.0-5', maxVersion: '1.42.0-5' };
    expect(reasonsIn(filter(jaeger, [asked]))).toEqual({
      'jaeger-operator.v1.42.0-5': ['in range'],
      'jaeger-operator.v1.42.0-5-0.1687199951.p': ['in range'],
    });
  });

  it('takes the highest version for a default channel, and of equals the last name', async () => {
    const catalog = await made({
      old: ['3.0.0'],
      'stable-4.9': ['1.0.0'],
      'stable-4.10': ['1.0.0'],
      'stable-4.8': ['0.9.0'],
    });
    const result = filter(catalog, [{ name: 'p', maxVersion: '1' }]);
    expect(result.packages).toMatchObject([{ defaultChannel: 'stable-4.10' }]);
  });

  it('takes the default channel that is asked for', () => {
    const result = filter(latest, [{ name: 'bar', defaultChannel: 'alpha' }]);
    expect(result.packages).toMatchObject([{ defaultChannel: 'alpha' }]);
    expect(() =>
      filter(latest, [{ name: 'bar', defaultChannel: 'stable', maxVersion: '0.2.0' }]),
    ).toThrow(
      expect.objectContaining({
        exitStatus: 2,
        message: 'package bar: the default channel stable keeps no version',
      }),
    );
  });

  it('keeps no deprecation of what is gone', async () => {
    const catalog = await made({ stable: ['1.0.0'], candidate: ['2.0.0'] }, [
      {
        schema: 'olm.deprecations',
        package: 'p',
        entries: [
          { reference: { schema: 'olm.package' }, message: 'old' },
          { reference: { schema: 'olm.channel', name: 'candidate' }, message: 'old' },
          { reference: { schema: 'olm.bundle', name: 'p.v2.0.0' }, message: 'old' },
          { reference: { schema: 'olm.bundle', name: 'p.v1.0.0' }, message: 'old' },
        ],
      },
    ]);
    const result = filter(catalog, [{ name: 'p', maxVersion: '1' }]);
    expect(result.deprecations[0]?.entries.map(({ schema, name }) => `${schema} ${name}`)).toEqual([
      'olm.package ',
      'olm.bundle p.v1.0.0',
    ]);
  });

  it('keeps documents of other schemas with their package, or of none', async () => {
    const extra = await fixtureCatalog('oc-mirror/test-catalog-extra-blobs');
    const others = filter(extra, [{ name: 'bar' }]).others.map((own) => own.package);
    expect(new Set(others)).toEqual(new Set(['', 'bar']));
    expect(filter(extra, [{ name: 'foo' }]).others.map((own) => own.package)).not.toContain('bar');
  });
});

describe('what the strict filter refuses', () => {
  it.each<[string, Asked, object]>([
    [
      'an unknown package',
      { name: 'fooo' },
      { exitStatus: 23, hint: 'Did you mean foo? With --allow-missing it is left out.' },
    ],
    [
      'an unknown package like no other',
      { name: 'something-else' },
      { hint: 'These are there: bar, baz, foo. With --allow-missing it is left out.' },
    ],
    [
      'an unknown channel',
      { name: 'bar', channels: [{ name: 'stabel' }] },
      { exitStatus: 23, message: 'package bar has no channel stabel' },
    ],
    [
      'an unknown default channel',
      { name: 'bar', defaultChannel: 'nope' },
      { exitStatus: 23, message: 'package bar has no channel nope' },
    ],
    [
      'a range without a version',
      { name: 'foo', minVersion: '7' },
      { exitStatus: 23, message: 'package foo has no version in range: from 7 on' },
    ],
    [
      'a minimum above the maximum',
      { name: 'foo', minVersion: '0.3.1', maxVersion: '0.2.0' },
      {
        exitStatus: 2,
        message: expect.stringContaining('0.3.1 is above maxVersion 0.2.0') as string,
      },
    ],
    [
      'a version that is none',
      { name: 'foo', minVersion: 'latest' },
      { exitStatus: 2, got: 'latest' },
    ],
  ])('%s', (_, asked, error) => {
    expect(() => filter(latest, [asked])).toThrow(expect.objectContaining(error));
  });

  it('full with a range', () => {
    expect(() => filter(latest, [{ name: 'foo', minVersion: '0.1.0' }], { full: true })).toThrow(
      expect.objectContaining({ exitStatus: 2 }),
    );
  });

  it('a catalog that OLM refuses itself, naming what is wrong', async () => {
    const catalog = await catalogOf([
      { schema: 'olm.package', name: 'p', defaultChannel: 'stable' },
      { schema: 'olm.channel', package: 'p', name: 'stable', entries: [{ name: 'p.v1' }] },
    ]);
    expect(() => filter(catalog, [])).toThrow(
      expect.objectContaining({
        exitStatus: 20,
        message: expect.stringContaining('package p, channel stable, bundle p.v1') as string,
      }),
    );
  });

  it('nothing that is missing, where that is allowed', () => {
    const asked = [
      { name: 'fooo' },
      { name: 'bar', channels: [{ name: 'stabel' }, { name: 'stable' }] },
    ];
    const result = filter(latest, asked, { allowMissing: true });
    expect(channelsIn(result)).toEqual({ 'bar/stable': ['1.0.0'] });
    expect(result.notes).toEqual([
      { type: 'package-missing', package: 'fooo', why: 'the catalog does not have it' },
      { type: 'channel-missing', package: 'bar', channel: 'stabel' },
    ]);
  });
});

describe('what kept bundles require', () => {
  const provider = (name: string, versions: readonly string[], api: string): readonly unknown[] => [
    { schema: 'olm.package', name, defaultChannel: 'stable' },
    {
      schema: 'olm.channel',
      package: name,
      name: 'stable',
      entries: versions.map((version, index) => ({
        name: `${name}.v${version}`,
        ...(index > 0 && { replaces: `${name}.v${versions[index - 1]!}` }),
      })),
    },
    ...versions.map((version) =>
      bundle(name, version, [
        { type: 'olm.gvk', value: { group: 'example.com', version: 'v1', kind: api } },
      ]),
    ),
  ];
  const needing = (...properties: { type: string; value: unknown }[]): readonly unknown[] => [
    { schema: 'olm.package', name: 'app', defaultChannel: 'stable' },
    { schema: 'olm.channel', package: 'app', name: 'stable', entries: [{ name: 'app.v1.0.0' }] },
    bundle('app', '1.0.0', properties),
  ];
  const api = (kind: string): { type: string; value: unknown } => ({
    type: 'olm.gvk.required',
    value: { group: 'example.com', version: 'v1', kind },
  });

  it('is kept with them, where one package has it, and what that requires in turn', async () => {
    const catalog = await catalogOf([
      ...needing({
        type: 'olm.package.required',
        value: { packageName: 'db', versionRange: '>=1.0.0 <2.0.0' },
      }),
      ...provider('db', ['0.9.0', '1.0.0', '1.5.0', '2.0.0'], 'Db'),
      ...provider('other', ['1.0.0'], 'Other'),
    ]);
    const result = filter(catalog, [{ name: 'app' }], { withDependencies: true });
    expect(reasonsIn(result)).toEqual({
      'app.v1.0.0': ['head of stable'],
      'db.v1.5.0': ['required by app'],
    });
    expect(Object.keys(reasonsIn(filter(catalog, [{ name: 'app' }])))).toEqual(['app.v1.0.0']);
  });

  it('is left to people, where several packages have it', async () => {
    const catalog = await catalogOf([
      ...needing(api('Db')),
      ...provider('db', ['1.0.0'], 'Db'),
      ...provider('db2', ['1.0.0'], 'Db'),
    ]);
    const result = filter(catalog, [{ name: 'app' }], { withDependencies: true });
    expect(Object.keys(reasonsIn(result))).toEqual(['app.v1.0.0']);
  });
});
