import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import type { Catalog } from '../../../../src/catalogs/catalog.ts';
import { checkCatalog } from '../../../../src/catalogs/check/check.ts';
import { filterAsOcMirror } from '../../../../src/catalogs/filter/oc-mirror.ts';
import type { CatalogRequest, PackageRequest } from '../../../../src/catalogs/filter/request.ts';
import { asCatalog } from '../../../../src/catalogs/filter/result.ts';
import { BundleError } from '../../../../src/core/errors.ts';
import { catalogOf, CATALOGS, fixtureCatalog } from '../../../support/catalogs.ts';

interface Case {
  readonly catalog: string;
  readonly case: string;
  readonly operator: {
    readonly full?: boolean;
    readonly packages?: readonly (Omit<PackageRequest, 'channels'> & Partial<PackageRequest>)[];
  };
  readonly result: Kept | { readonly error: string };
}

interface Kept {
  readonly channels: Readonly<Record<string, readonly string[]>>;
  readonly defaultChannels: Readonly<Record<string, string>>;
  readonly bundles: readonly string[];
  readonly deprecations: readonly string[];
  readonly others: number;
  readonly outOfRange: readonly string[];
  readonly opmWouldReject: readonly string[];
}

interface Cases {
  readonly synth: Readonly<Record<string, readonly unknown[]>>;
  readonly cases: readonly Case[];
}

const { synth, cases } = JSON.parse(
  await readFile(join(CATALOGS, 'oc-mirror-cases.json'), 'utf8'),
) as Cases;

const catalogs: Readonly<Record<string, Promise<Catalog>>> = {
  latest: fixtureCatalog('oc-mirror/test-catalog-latest'),
  jaeger: fixtureCatalog('real/jaeger-product.slim.jsonl'),
  synth: catalogOf(Object.values(synth).flat()),
};

function requestOf({ operator: { full = false, packages = [] } }: Case): CatalogRequest {
  return {
    catalog: 'registry.example.com/ops/index:v4.22',
    full,
    packages: packages.map((own) => ({ ...own, channels: own.channels ?? [] })),
  };
}

function keptBy(catalog: Catalog, request: CatalogRequest): Kept | { readonly error: string } {
  try {
    const result = filterAsOcMirror(catalog, request);
    const links = result.bundles.flatMap(({ bundle, reasons }) =>
      reasons.flatMap((reason) =>
        reason.type === 'links'
          ? [`${bundle.package}/${reason.channel}: ${bundle.name} out of range`]
          : [],
      ),
    );
    return {
      channels: Object.fromEntries(
        result.channels.map(({ from, entries }) => [
          `${from.package}/${from.name}`,
          entries.map(({ name }) => name),
        ]),
      ),
      defaultChannels: Object.fromEntries(
        result.packages.map(({ from, defaultChannel }) => [from.name, defaultChannel]),
      ),
      bundles: result.bundles.map(({ bundle }) => `${bundle.package}/${bundle.name}`),
      deprecations: result.deprecations.flatMap(({ entries }) =>
        entries.map(({ schema, name }) => `${schema}:${name}`),
      ),
      others: result.others.length,
      outOfRange: links,
      opmWouldReject: checkCatalog(asCatalog(result)).map(({ message }) => message),
    };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    return { error: error.message };
  }
}

/** The package and the channel that an error names. */
function named(error: string): readonly (string | undefined)[] {
  const ofOurs = /package ([^,]+), channel ([^:]+):/.exec(error);
  const ofOcMirror = /package "([^"]+)".* channel "([^"]+)"/.exec(error);
  return (ofOurs ?? ofOcMirror)?.slice(1) ?? [];
}

describe('the filter of oc-mirror', () => {
  // One more case is about a catalog that has no licence, and so is not here.
  const known = cases.filter(({ catalog }) => catalog in catalogs);

  it('has cases to be compared with', () => {
    expect(cases.length - known.length).toBe(1);
    expect(known).toHaveLength(15);
  });

  it.each(known)('gives what oc-mirror gives: $case', async (own) => {
    const catalog = await catalogs[own.catalog]!;
    const kept = keptBy(catalog, requestOf(own));
    if ('error' in own.result) {
      expect(kept).toHaveProperty('error');
      const { error } = kept as { readonly error: string };
      expect(named(error)).toEqual(named(own.result.error));
      expect(named(error)).toHaveLength(2);
      return;
    }
    const { opmWouldReject, ...rest } = own.result;
    expect(kept).toMatchObject(rest);
    expect((kept as Kept).opmWouldReject).toHaveLength(opmWouldReject.length);
  });

  it.each([
    [{ name: 'foo', minVersion: '0.9.0', maxVersion: '0.9.0' }, 'no bundle has version 0.9.0'],
    [{ name: 'foo', minVersion: 'latest' }, 'latest is no version'],
    [{ name: 'bar', defaultChannel: 'nope' }, 'the default channel that was asked for is not kept'],
  ])('fails where oc-mirror fails: %j', async (asked, message) => {
    const request = requestOf({ operator: { packages: [asked] } } as unknown as Case);
    expect(keptBy(await catalogs['latest']!, request)).toEqual({
      error: expect.stringContaining(message) as string,
    });
  });

  it('fails on full with a range', async () => {
    const request = requestOf({
      operator: { full: true, packages: [{ name: 'foo', minVersion: '0.1.0' }] },
    } as unknown as Case);
    expect(keptBy(await catalogs['latest']!, request)).toEqual({
      error: expect.stringContaining('full and a range') as string,
    });
  });
});
