import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  compareVersions,
  formatVersion,
  parseLenientVersion,
  parseVersion,
} from '../../../../src/catalogs/versions/version.ts';

const order = (a: string, b: string): number =>
  Math.sign(compareVersions(parseVersion(a)!, parseVersion(b)!));

describe('a version of a catalog', () => {
  it.each([
    '1.2.3',
    '0.0.0',
    '1.2.3-5',
    '4.12.0-202303021731',
    '26.0.8-opr.1',
    '1.0.0--',
    '1.2.3+a-b',
  ])('may be %s', (text) => {
    expect(formatVersion(parseVersion(text)!)).toBe(text);
  });

  it.each([
    '',
    '1',
    '1.2',
    'v1.2.3',
    '01.2.3',
    '1.2.3-01',
    '1.2.3-',
    '1.2.3+',
    '1.2.3-a..b',
    '1.2.3+a+b',
  ])('is not %j', (text) => {
    expect(parseVersion(text)).toBeUndefined();
  });

  it('has numbers of at most 64 bits', () => {
    expect(parseVersion('18446744073709551615.0.0')).toBeDefined();
    expect(parseVersion('18446744073709551616.0.0')).toBeUndefined();
    expect(parseVersion('1.0.0-18446744073709551616')).toBeUndefined();
  });
});

describe('the order of versions', () => {
  it('is that of the specification', () => {
    const ascending = [
      '1.0.0-5',
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0',
      '1.0.1-0',
      '1.2.0',
      '1.10.0',
    ];
    for (const [index, lower] of ascending.entries())
      for (const higher of ascending.slice(index + 1)) {
        expect([lower, higher, order(lower, higher)]).toEqual([lower, higher, -1]);
        expect(order(higher, lower)).toBe(1);
      }
  });

  it('does not count build metadata', () => {
    expect(order('1.42.0-5', '1.42.0-5+0.1687199951.p')).toBe(0);
  });

  it('tells large numbers apart that a double cannot', () => {
    expect(order('1.0.0-9007199254740993', '1.0.0-9007199254740992')).toBe(1);
  });

  it('is total', () => {
    const identifier = fc.constantFrom('0', '1', '11', 'a', 'a-b', '9007199254740993');
    const version = fc
      .tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.array(identifier, { maxLength: 3 }))
      .map(([a, b, c, pre]) => `${a}.${b}.${c}${pre.length > 0 ? `-${pre.join('.')}` : ''}`);
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(order(a, b) + order(b, a)).toBe(0);
        if (order(a, b) <= 0 && order(b, c) <= 0) expect(order(a, c)).toBeLessThanOrEqual(0);
        expect(order(a, b) === 0).toBe(a === b);
      }),
    );
  });
});

describe('a version that somebody writes', () => {
  it.each([
    ['1', '1.0.0', 1],
    ['4.18', '4.18.0', 2],
    ['v1.2.3', '1.2.3', 3],
    ['01.02', '1.2.0', 2],
    ['1.2-rc.1', '1.2.0-rc.1', 2],
  ])('may be %s', (text, whole, written) => {
    const version = parseLenientVersion(text)!;
    expect([formatVersion(version), version.written]).toEqual([whole, written]);
  });

  it.each(['', 'latest', '1.x', '1.2.3.4', '>=1', '1.2.3-01'])('is not %j', (text) => {
    expect(parseLenientVersion(text)).toBeUndefined();
  });
});
