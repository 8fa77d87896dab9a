import { expect, it } from 'vitest';

import { type FoundVolume, inOrder } from '../../../../src/bundle/reading/found-volumes.ts';

function volume(path: string, number: number, count: number, tarOffset = 0): FoundVolume {
  const record = { number, count, tarOffset, tarLength: 512, bundleDigest: Buffer.alloc(32) };
  return { file: { path }, start: 0, length: 512, record } as unknown as FoundVolume;
}

it('a whole bundle and a volume of it are named by mistake, and not damaged', () => {
  const whole = volume('whole', 1, 1);
  const others = [volume('a.001', 1, 3), volume('a.002', 2, 3, 512)];
  for (const given of [
    [whole, ...others],
    [...others, whole],
  ]) {
    expect(() => inOrder(given)).toThrow(
      expect.objectContaining({
        message: 'whole is a whole bundle, and a.001 is volume 1 of 3 of the same bundle',
        hint: 'Name one of them: the whole bundle, or its volumes.',
      }),
    );
  }
  expect(inOrder(others)).toEqual(others);
});
