import { describe, expect, it } from 'vitest';
import { limitsOf } from '../../../src/cli/limits.ts';

describe('limitsOf', () => {
  it.each([
    { given: undefined, transfers: { most: 8, now: 8 }, small: { most: 32, now: 8 } },
    { given: 1, transfers: { most: 1, now: 1 }, small: { most: 1, now: 1 } },
    { given: 4, transfers: { most: 4, now: 4 }, small: { most: 4, now: 4 } },
    { given: 64, transfers: { most: 64, now: 64 }, small: { most: 64, now: 64 } },
  ])('of --concurrency $given', ({ given, transfers, small }) => {
    const { concurrency, lookups } = limitsOf(given);
    expect(concurrency).toMatchObject(transfers);
    expect(lookups).toMatchObject(small);
    expect(lookups).not.toBe(concurrency);
  });
});
