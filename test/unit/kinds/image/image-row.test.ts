import { describe, expect, it } from 'vitest';

import type { JsonObject } from '../../../../src/core/json.ts';
import { readChartClaim } from '../../../../src/kinds/chart/claim.ts';
import { imageKind } from '../../../../src/kinds/image/image.ts';
import { imageRow, readImageRow } from '../../../../src/kinds/image/image-row.ts';

const D = `sha256:${'d'.repeat(64)}`;
const ROW = { reference: 'r.io/a/b:1', digest: D, path: 'a/b', tag: '1' };
const LONG = `a/${'b'.repeat(254)}`;

describe('the row of an image', () => {
  it('is read as it is written', () => {
    expect(imageRow(readImageRow(ROW))).toEqual(ROW);
    const { digest, ...hole } = ROW;
    expect(readImageRow(ROW).digest).toBe(digest);
    expect(imageRow(readImageRow(hole))).toEqual(hole);
  });

  it.each<[string, JsonObject]>([
    ['no registry', { ...ROW, reference: 'b:1' }],
    ['neither tag nor digest', { ...ROW, reference: 'r.io/a/b' }],
    ['another digest than its name', { ...ROW, reference: `r.io/a/b@sha256:${'e'.repeat(64)}` }],
    ['a path that no registry takes', { ...ROW, path: 'A' }],
    ['a path that is too long', { ...ROW, path: LONG }],
    ['a tag that no registry takes', { ...ROW, tag: '' }],
  ])('is refused with %s, of an image alone and of one of a chart', async (_, row) => {
    await expect(
      imageKind.read(row, new Map(), { releaseKeys: [], now: new Date() }),
    ).rejects.toThrow();
    const images = [{ ...row, how: 'list', where: 'the user' }];
    const chart = { name: 'web', version: '1.0.0', artifact: D, path: 'charts/web', tag: '1.0.0' };
    expect(() => readChartClaim({ ...chart, images })).toThrow();
    expect(readChartClaim({ ...chart, images: [{ ...images[0], ...ROW }] }).images).toHaveLength(1);
  });
});
