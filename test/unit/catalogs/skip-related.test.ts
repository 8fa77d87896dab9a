import { expect, it } from 'vitest';

import { imagesOf } from '../../../src/catalogs/catalog.ts';
import { skipsRelated, unusedPatterns } from '../../../src/catalogs/skip-related.ts';
import { catalogOf } from '../../support/catalogs.ts';

const related = { name: 'must-gather-1.2', image: 'quay.io/ops/must-gather@sha256:0' };

it.each<[string, boolean]>([
  ['must-gather*', true],
  ['must-gather-?.?', true],
  ['must-gather', false],
  ['*', true],
  ['*/must-gather@*', true],
  ['quay.io/ops/*', true],
  ['quay.io/ops/must-gather', false],
  ['must.gather*', false],
  ['**********************b', false],
])('compares the name, or the image where it has a slash: %s', (pattern, isSkipped) => {
  expect(skipsRelated([pattern])(related)).toBe(isSkipped);
});

it('never leaves out the image of the bundle itself, nor one that has another name, too', async () => {
  const { bundles } = await catalogOf([
    {
      ...{ schema: 'olm.bundle', package: 'p', name: 'p.v1', image: 'quay.io/ops/p:1' },
      relatedImages: [
        { name: 'bundle', image: 'quay.io/ops/p:1' },
        { name: 'a', image: 'quay.io/ops/a:1' },
        { name: 'a2', image: 'quay.io/ops/a:1' },
        { name: 'b', image: 'quay.io/ops/b:1' },
      ],
    },
  ]);
  const images = imagesOf(bundles[0]!, skipsRelated(['bundle', 'a', 'b']));
  expect(images).toEqual(['quay.io/ops/p:1', 'quay.io/ops/a:1']);
  expect(unusedPatterns(['a', 'c*'], bundles)).toEqual(['c*']);
});
