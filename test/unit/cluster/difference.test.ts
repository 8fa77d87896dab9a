import { describe, expect, it } from 'vitest';

import { differences, missing } from '../../../src/cluster/difference.ts';
import type { ApiObject } from '../../../src/cluster/object.ts';

const object = (more: object): ApiObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a' },
  ...more,
});

describe('differences', () => {
  it('lists added, changed and removed leaves with their paths', () => {
    const before = object({ data: { a: '1', b: '2' }, spec: { list: ['x', 'y'] } });
    const after = object({ data: { a: '1', b: '3', 'c.d/e': '4' }, spec: { list: ['x'] } });
    expect(differences(before, after)).toEqual([
      { field: '.data.b', before: '2', after: '3' },
      { field: '.data["c.d/e"]', before: undefined, after: '4' },
      { field: '.spec.list[1]', before: 'y', after: undefined },
    ]);
  });

  it('does not look at what the API server keeps for itself', () => {
    const kept = { metadata: { name: 'a', resourceVersion: '1', uid: 'u', managedFields: [] } };
    const later = { metadata: { name: 'a', resourceVersion: '2', uid: 'v', managedFields: [1] } };
    expect(differences(object({ ...kept, status: { a: 1 } }), object(later))).toEqual([]);
  });

  it('takes an empty list for none, and a list for no object', () => {
    expect(differences(object({ spec: {} }), object({ spec: [] }))).toEqual([]);
    expect(differences(object({}), object({ spec: { list: [] } }))).toEqual([]);
    expect(differences(object({ spec: ['x'] }), object({ spec: { 0: 'x' } }))).toEqual([
      { field: '.spec', before: ['x'], after: { 0: 'x' } },
    ]);
  });

  it('lists all fields of an object that was not there', () => {
    expect(differences(undefined, object({ data: { a: '1' } })).map(({ field }) => field)).toEqual([
      '.apiVersion',
      '.data.a',
      '.kind',
      '.metadata.name',
    ]);
  });
});

describe('missing', () => {
  const sent = object({ data: { a: '1', b: '2' }, spec: { list: ['x', { y: ['z'] }], none: {} } });

  it('is nothing where the object holds all, and more, in whatever order', () => {
    const list = ['other', { y: ['w', 'z'], more: 1 }, 'x'];
    const got = { data: { a: '1', b: '2', c: '3' }, spec: { list }, status: {} };
    expect(missing(sent, object(got))).toEqual([]);
  });

  it('is what the object has not, or has otherwise', () => {
    const got = { data: { a: '1', b: 2 }, spec: { list: ['x', { y: 'z' }] } };
    expect(missing(sent, object(got))).toEqual(['.data.b', '.spec.list[1]']);
    expect(missing(sent, object({ data: [] }))).toEqual([
      ...['.data.a', '.data.b', '.spec.list[0]', '.spec.list[1]'],
    ]);
  });
});
