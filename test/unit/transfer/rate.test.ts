import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, describe, it, vi } from 'vitest';
import { RateLimit } from '../../../src/transfer/rate.ts';

// The clock stands still but where a test turns it; a sleep is over at once, and is written down.
vi.mock('node:timers/promises', () => ({ setTimeout: vi.fn(async () => undefined) }));
beforeEach(() => {
  vi.mocked(sleep).mockClear();
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const { signal } = new AbortController();
const slept = (): (number | undefined)[] => vi.mocked(sleep).mock.calls.map(([ms]) => ms);

describe('RateLimit', () => {
  it('lets bytes wait until the rate is kept, in one line for all who spend', async () => {
    const limit = new RateLimit(1000);
    await Promise.all([limit.spend(500, signal), limit.spend(500, signal)]);
    expect(slept()).toEqual([500, 1000]);
    vi.advanceTimersByTime(900);
    await limit.spend(10, signal);
    expect(slept()).toEqual([500, 1000, 110]);
  });

  it('saves no more than a quarter of a second in a pause', async () => {
    const limit = new RateLimit(1000);
    vi.advanceTimersByTime(60_000);
    await limit.spend(250, signal);
    expect(slept()).toEqual([]);
    await limit.spend(100, signal);
    expect(slept()).toEqual([100]);
  });

  it('waits no longer than the one who waits wants to', async () => {
    await new RateLimit(1).spend(1, signal);
    expect(vi.mocked(sleep).mock.calls).toEqual([[1000, undefined, { signal }]]);
    vi.mocked(sleep).mockRejectedValueOnce(new Error('given up'));
    await expect(new RateLimit(1).spend(1, signal)).rejects.toThrow('given up');
  });
});
