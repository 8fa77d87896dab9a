import { describe, expect, it } from 'vitest';

import { filterAsOcMirror } from '../../../../src/catalogs/filter/oc-mirror.ts';
import type { CatalogRequest, PackageRequest } from '../../../../src/catalogs/filter/request.ts';
import { filterStrictly, type StrictOptions } from '../../../../src/catalogs/filter/strict.ts';
import { absences, describeAbsence } from '../../../../src/catalogs/filter/why-not.ts';
import { packagesOf } from '../../../../src/catalogs/packages.ts';
import { catalogOf } from '../../../support/catalogs.ts';

const chain = (versions: readonly string[]): object[] =>
  versions.map((version, at) => ({
    name: `p.v${version}`,
    ...(at > 0 && { replaces: `p.v${versions[at - 1]!}` }),
  }));
const channel = (name: string, versions: readonly string[]): object => ({
  ...{ schema: 'olm.channel', package: 'p', name, entries: chain(versions) },
});
const bundle = (version: string, ofPackage = 'p'): object => ({
  ...{
    schema: 'olm.bundle',
    package: ofPackage,
    name: `${ofPackage}.v${version}`,
    image: 'r.io/a:1',
  },
  properties: [{ type: 'olm.package', value: { packageName: ofPackage, version } }],
});
const catalog = await catalogOf([
  { schema: 'olm.package', name: 'p', defaultChannel: 'stable' },
  channel('stable', ['1.0.0', '1.1.0', '1.2.0', '2.0.0-5']),
  channel('old', ['0.9.0', '1.0.0']),
  ...['0.9.0', '1.0.0', '1.1.0', '1.2.0', '2.0.0-5'].map((version) => bundle(version)),
  { schema: 'olm.package', name: 'q', defaultChannel: 'stable' },
  { schema: 'olm.channel', package: 'q', name: 'stable', entries: [{ name: 'q.v1.0.0' }] },
  bundle('1.0.0', 'q'),
]);

/** Why versions of a package are not kept. */
function whyNot(
  asked: Partial<PackageRequest>,
  { of = 'p', mode = 'strict', ...options }: StrictOptions & { of?: string; mode?: string } = {},
): Readonly<Record<string, readonly string[]>> {
  const packages = [{ name: 'p', channels: [], ...asked }];
  const request: CatalogRequest = { catalog: 'r.io/index:1', full: false, packages };
  const result =
    mode === 'strict'
      ? filterStrictly(catalog, request, options)
      : filterAsOcMirror(catalog, request);
  const found = absences(packagesOf(catalog).get(of)!, request, result);
  return Object.fromEntries(
    [...found].map(([name, own]) => [name.slice(3), own.map(describeAbsence)]),
  );
}

describe('what is not kept', () => {
  it('is not the newest, where nothing but the operator is asked for', () => {
    expect(whyNot({})).toEqual({
      '0.9.0': ['not the newest of old (1.0.0)'],
      '1.1.0': ['not the newest of stable (2.0.0-5)'],
      '1.2.0': ['not the newest of stable (2.0.0-5)'],
    });
  });

  it('is out of range, on the side that is said', () => {
    expect(whyNot({ minVersion: '1.1.0', maxVersion: '1.1.0' })).toEqual({
      '0.9.0': ['below the minimum 1.1.0'],
      '1.0.0': ['below the minimum 1.1.0'],
      '1.2.0': ['above the maximum 1.1.0'],
      '2.0.0-5': ['above the maximum 1.1.0'],
    });
  });

  it('is in channels that nobody asks for, beside others', () => {
    const channels = [{ name: 'stable', minVersion: '1.2' }];
    expect(whyNot({ channels })).toEqual({
      '0.9.0': ['channel old is not asked for'],
      '1.0.0': ['channel old is not asked for', 'below the minimum 1.2'],
      '1.1.0': ['below the minimum 1.2'],
    });
  });

  it('was left out by name, and with it what leads nowhere then', () => {
    const skipBundles = { 'p.v1.2.0': 'CVE-2026-1' };
    expect(whyNot({ minVersion: '1.0.0', defaultChannel: 'stable' }, { skipBundles })).toEqual({
      '0.9.0': ['below the minimum 1.0.0'],
      '1.1.0': ['updates from it led over p.v1.2.0'],
      '1.2.0': ['CVE-2026-1'],
    });
  });

  it('is of another operator', () => {
    expect(whyNot({}, { of: 'q' })).toEqual({ '1.0.0': ['the operator is not asked for'] });
  });

  it('is a prerelease for oc-mirror', () => {
    const channels = [{ name: 'stable', minVersion: '1.2.0' }];
    expect(whyNot({ channels }, { mode: 'oc-mirror' })['2.0.0-5']).toEqual([
      'in range, and the filter of oc-mirror leaves it out',
    ]);
  });
});
