import { describe, expect, it } from 'vitest';

import { type CatalogRequest, boundsOf } from '../../../../src/catalogs/filter/request.ts';

const request: CatalogRequest = {
  catalog: 'registry.example.com/ns/index:v4.22',
  full: false,
  packages: [
    {
      name: 'foo',
      minVersion: '1.0.0',
      channels: [{ name: 'stable', maxVersion: '2.0.0' }, { name: 'beta' }],
    },
  ],
};
const [asked] = request.packages;

describe('the bounds of a channel', () => {
  it('are its own, else those of its package', () => {
    expect(boundsOf(asked, 'stable')).toMatchObject({ maxVersion: '2.0.0' });
    expect(boundsOf(asked, 'stable')).not.toHaveProperty('minVersion');
    expect(boundsOf(asked, 'beta')).toMatchObject({ minVersion: '1.0.0' });
  });

  it('are none where neither has any', () => {
    expect(boundsOf({ name: 'foo', channels: [] }, 'stable')).toBeUndefined();
    expect(boundsOf(undefined, 'stable')).toBeUndefined();
  });
});
