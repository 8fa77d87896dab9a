import { expect, it } from 'vitest';

import { blobPath } from '../../../src/bundle/format/paths.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { hasWholeImage } from '../../../src/opening/damaged.ts';
import type { SurveyedBundle } from '../../../src/opening/open-bundle.ts';

const [SHARED, OWN, LAST] = ['shared', 'own', 'last'].map((text) => ({
  digest: digestOf(Buffer.from(text)),
  size: 1,
})) as [Layer, Layer, Layer];

interface Layer {
  readonly digest: ReturnType<typeof digestOf>;
  readonly size: number;
}

/** Two images with a layer in common, and one that waits for both. */
function bundle(...absent: readonly Layer[]): SurveyedBundle {
  const image = (name: string, order: string, ...blobs: readonly Layer[]): object => ({
    ...{ name, order, blobs, manifests: [], parts: [0] },
  });
  const images = [
    image('one', 'first', SHARED, OWN),
    image('two', 'first', SHARED),
    image('release', 'last', LAST),
  ];
  return {
    ...{ closure: { content: { images } }, some: undefined, labels: ['a part'] },
    reader: { layers: [SHARED, OWN, LAST], manifest: { images } },
    content: { exists: (layer: Layer) => Promise.resolve(!absent.includes(layer)) },
  } as unknown as SurveyedBundle;
}

it('an image is whole of which nothing is known to be lost', async () => {
  expect(await hasWholeImage(bundle(), [])).toBe(true);
  expect(await hasWholeImage(bundle(OWN), [])).toBe(true);
  expect(await hasWholeImage(bundle(), [{ entries: [blobPath(OWN.digest)] }])).toBe(true);
});

it('no image is whole where each needs what is lost, or waits for one that does', async () => {
  expect(await hasWholeImage(bundle(SHARED), [])).toBe(false);
  expect(await hasWholeImage(bundle(), [{ entries: [blobPath(SHARED.digest)] }])).toBe(false);
});
