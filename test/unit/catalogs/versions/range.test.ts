import { describe, expect, it } from 'vitest';

import {
  describeBounds,
  meantRange,
  ocMirrorRange,
  type ParsedBounds,
  parseBounds,
} from '../../../../src/catalogs/versions/bounds.ts';
import { parseRange } from '../../../../src/catalogs/versions/range.ts';
import { parseVersion } from '../../../../src/catalogs/versions/version.ts';

describe('a range of OLM', () => {
  it.each([
    ['>=1.0.0 <2.0.0', ['1.0.0', '1.9.9', '2.0.0-rc.1'], ['0.9.0', '2.0.0']],
    ['>1.0.0 <3.0.0 !2.0.3-beta.2', ['2.0.3'], ['1.0.0', '2.0.3-beta.2']],
    ['<2.0.0 || >=3.0.0', ['1.0.0', '3.0.0'], ['2.5.0']],
    ['1.2.3 || >3.0.0', ['1.2.3', '3.0.1'], ['1.2.4', '3.0.0']],
    ['>= 1.0.0', ['1.0.0'], ['0.1.0']],
    ['>=1.x', ['1.0.0', '2.0.0'], ['0.9.0']],
    ['>1.x', ['2.0.0'], ['1.9.9']],
    ['<=1.2.x', ['1.2.9'], ['1.3.0']],
    ['1.2.x', ['1.2.0', '1.2.9'], ['1.3.0', '1.1.9']],
    ['!=1.2.x', [], ['1.2.0', '1.1.0', '1.3.0']],
    ['==1.0.0', ['1.0.0', '1.0.0+build'], ['1.0.1']],
    ['>=1.0.0 1', ['1.5.0'], ['0.5.0']],
  ])('%s', (text, inside, outside) => {
    const range = parseRange(text)!;
    expect(inside.filter((version) => !range(parseVersion(version)!))).toEqual([]);
    expect(outside.filter((version) => range(parseVersion(version)!))).toEqual([]);
  });

  it.each([
    '',
    '*',
    '1',
    '<1',
    '>=bad',
    '=> 1.0.0',
    '~1.2.3',
    '|| 1.0.0',
    '1.0.0 ||',
    '>=1.x.x.x',
    '>1.2.3.x',
  ])('is not %j', (text) => {
    expect(parseRange(text)).toBeUndefined();
  });
});

const bounds = (minVersion?: string, maxVersion?: string): ParsedBounds =>
  parseBounds({
    ...(minVersion !== undefined && { minVersion }),
    ...(maxVersion !== undefined && { maxVersion }),
  }) as ParsedBounds;

describe('bounds', () => {
  const versions = ['0.2.0', '0.2.9', '0.3.0', '1.47.1-5', '1.47.1', '1.51.0-1'];
  const kept = (range: ReturnType<typeof parseRange>): readonly string[] =>
    versions.filter((version) => range!(parseVersion(version)!));

  it('mean builds where they name a version', () => {
    expect(kept(meantRange(bounds('1.47.1', undefined)))).toEqual([
      '1.47.1-5',
      '1.47.1',
      '1.51.0-1',
    ]);
    expect(kept(meantRange(bounds('1.47.1', '1.47.1')))).toEqual(['1.47.1-5', '1.47.1']);
    expect(kept(meantRange(bounds('1.47.1-6', undefined)))).toEqual(['1.47.1', '1.51.0-1']);
  });

  it('are read without prereleases by oc-mirror, unless one of them has one', () => {
    expect(kept(ocMirrorRange(bounds('1.47.1', undefined)))).toEqual(['1.47.1']);
    expect(kept(ocMirrorRange(bounds('1.47.1-5', undefined)))).toEqual([
      '1.47.1-5',
      '1.47.1',
      '1.51.0-1',
    ]);
    expect(kept(ocMirrorRange(bounds('0.3.0', '1.47.1-5')))).toEqual(['0.3.0', '1.47.1-5']);
  });

  it('of fewer numbers include all that begins with them', () => {
    for (const range of [meantRange, ocMirrorRange]) {
      expect(kept(range(bounds(undefined, '0.2')))).toEqual(['0.2.0', '0.2.9']);
      expect(kept(range(bounds(undefined, '0')))).toEqual(['0.2.0', '0.2.9', '0.3.0']);
      expect(kept(range(bounds('0.2.1', '0')))).toEqual(['0.2.9', '0.3.0']);
    }
  });

  it('have to be versions', () => {
    expect(parseBounds({ minVersion: 'latest' })).toBe('latest');
    expect(parseBounds({ minVersion: '1', maxVersion: '1.x' })).toBe('1.x');
  });

  it('are named', () => {
    expect(describeBounds({ minVersion: '1' })).toBe('from 1 on');
    expect(describeBounds({ maxVersion: '2' })).toBe('up to 2');
    expect(describeBounds({ minVersion: '1', maxVersion: '2' })).toBe('from 1 to 2');
    expect(describeBounds({ minVersion: '1', maxVersion: '1' })).toBe('1');
  });
});
