import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoff, retryAfter, waitText } from '../../../../src/core/http/backoff.ts';

const NOW = Date.parse('2024-10-21T07:28:00Z');

describe('retryAfter', () => {
  it.each([
    ['3', 3000],
    ['0', 0],
    ['86400', 86_400_000],
    [String(NOW / 1000 + 40), 40_000],
    [String(NOW / 1000 - 40), 0],
    ['9'.repeat(13), undefined],
    ['Tue, 22 Oct 2024 07:28:00 GMT', 86_400_000],
    ['Mon, 21 Oct 2024 07:28:30 GMT', 30_000],
    ['Mon, 21 Oct 2024 07:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    ['-5', undefined],
    [undefined, undefined],
  ])('%j is %j ms', (header, expected) => {
    expect(retryAfter(header, NOW)).toBe(expected);
  });
});

describe('waitText', () => {
  it.each([
    [400, '1 second'],
    [40_000, '40 seconds'],
    [90_000, '90 seconds'],
    [301_000, '6 minutes'],
    [3_600_000, '60 minutes'],
    [6 * 3_600_000, '6 hours'],
    [50 * 3_600_000, '3 days'],
  ])('%d ms are %s', (ms, text) => {
    expect(waitText(ms)).toBe(text);
  });
});

describe('backoff', () => {
  it('is within a range that doubles, up to 30 s', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, random) => {
          const delay = backoff(attempt, 500, () => random);
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(Math.min(30_000, 500 * 2 ** (attempt - 1)));
        },
      ),
    );
  });
});
