import { describe, expect, it } from 'vitest';

import type { Api, CatalogBundle, Requirement } from '../../../src/catalogs/catalog.ts';
import { dependenciesOf } from '../../../src/catalogs/dependencies.ts';

const place = { file: 'f', index: 0, start: 0, end: 0, format: 'json' as const };
const api = (kind: string): Api => ({ group: 'example.com', version: 'v1', kind });

function bundle(
  name: string,
  version: string,
  {
    provides = [],
    requires = [],
  }: { provides?: readonly Api[]; requires?: readonly Requirement[] },
): CatalogBundle {
  return {
    name: `${name}.v${version}`,
    package: name,
    image: '',
    relatedImages: [],
    versions: [{ packageName: name, version, release: '' }],
    provides,
    requires,
    objects: 0,
    fault: undefined,
    place,
  };
}

const db = bundle('db', '1.2.0', { provides: [api('Db')] });
const db2 = bundle('db2', '2.0.0', { provides: [api('Db'), api('Cache')] });
const gvk = (kind: string): object => ({ gvk: api(kind) });
const ofPackage = (packageName: string, versionRange: string): object => ({
  package: { packageName, versionRange },
});

describe('a requirement', () => {
  it.each<[Requirement, string, string, readonly string[]]>([
    [{ type: 'package', name: 'db', range: '>=1.0.0' }, 'package db >=1.0.0', 'available', ['db']],
    [{ type: 'package', name: 'db', range: '>=2.0.0' }, 'package db >=2.0.0', 'missing', []],
    [{ type: 'package', name: 'db', range: 'any' }, 'package db any', 'not-evaluated', []],
    [{ type: 'api', api: api('Db') }, 'API Db.v1.example.com', 'available', ['db', 'db2']],
    [{ type: 'api', api: api('Own') }, 'API Own.v1.example.com', 'kept', ['app']],
    [
      { type: 'constraint', value: { all: { constraints: [gvk('Db'), gvk('Cache')] } } as never },
      'all of (API Db.v1.example.com; API Cache.v1.example.com)',
      'available',
      ['db2'],
    ],
    [
      {
        type: 'constraint',
        value: { any: { constraints: [ofPackage('db', '<1.0.0'), gvk('Cache')] } } as never,
      },
      'any of (package db <1.0.0; API Cache.v1.example.com)',
      'available',
      ['db2'],
    ],
    [
      {
        type: 'constraint',
        value: {
          all: { constraints: [gvk('Db'), { not: { constraints: [gvk('Cache')] } }] },
        } as never,
      },
      'all of (API Db.v1.example.com; not of (API Cache.v1.example.com))',
      'available',
      ['db'],
    ],
    [
      { type: 'constraint', value: { cel: { rule: 'properties.exists(p, true)' } } },
      'expression properties.exists(p, true)',
      'not-evaluated',
      [],
    ],
    [
      { type: 'constraint', value: { something: 'else' } },
      'a constraint of a kind that is not known',
      'not-evaluated',
      [],
    ],
  ])('%j', (requirement, requires, state, providers) => {
    const app = bundle('app', '1.0.0', {
      provides: [api('Own')],
      requires: [requirement, requirement],
    });
    expect(dependenciesOf([app], [app, db, db2])).toEqual([
      { package: 'app', bundle: 'app.v1.0.0', requires, state, providers },
    ]);
  });

  it('is satisfied by what is kept, not by what is left out', () => {
    const app = bundle('app', '1.0.0', { requires: [{ type: 'api', api: api('Db') }] });
    expect(dependenciesOf([app, db2], [app, db, db2])).toMatchObject([
      { state: 'kept', providers: ['db', 'db2'] },
    ]);
  });
});
