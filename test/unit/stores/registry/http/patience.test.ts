import { describe, expect, it, vi } from 'vitest';
import { BundleError } from '../../../../../src/core/errors.ts';
import type { TransferEvent } from '../../../../../src/core/events.ts';
import { Patience, RetryBudget } from '../../../../../src/stores/registry/http/patience.ts';

const setback = { what: 'GET http://registry/', cause: 'status 503' };

function patienceWith(
  budget: RetryBudget,
  attempts?: number,
): { patience: Patience; events: TransferEvent[] } {
  const events: TransferEvent[] = [];
  const observe = (event: TransferEvent): void => void events.push(event);
  return {
    patience: new Patience({ budget, backoffMs: 0, observe, signal: undefined, attempts }),
    events,
  };
}

async function countOf(patience: Patience, limit = 100): Promise<number> {
  let count = 0;
  while (count < limit && (await patience.again(setback))) count += 1;
  return count;
}

describe('Patience', () => {
  it('lasts for ten attempts, and tells of each retry', async () => {
    const { patience, events } = patienceWith(new RetryBudget());
    expect(await countOf(patience)).toBe(9);
    expect(events).toEqual(
      Array.from({ length: 9 }, (_, index) => ({
        type: 'retried',
        ...setback,
        attempt: index + 1,
        delayMs: 0,
      })),
    );
  });

  it('lasts for as many as it is told', async () => {
    expect(await countOf(patienceWith(new RetryBudget(), 2).patience)).toBe(1);
  });

  it('is as good as new when something was got further', async () => {
    const { patience } = patienceWith(new RetryBudget());
    expect(await countOf(patience)).toBe(9);
    patience.restore();
    expect(await countOf(patience)).toBe(9);
  });

  it('does not wait for longer than anybody would', async () => {
    const { patience, events } = patienceWith(new RetryBudget());
    expect(await patience.again({ ...setback, askedMs: 11 * 60 * 1000 })).toBe(false);
    expect(events).toEqual([]);
  });

  it('counts its time from the first setback, however long everything went well before', async () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
    const { patience } = patienceWith(new RetryBudget());
    const minutes = async (count: number): Promise<boolean> => {
      clock.mockReturnValue(count * 60_000);
      return patience.again(setback);
    };
    expect([await minutes(60), await minutes(69), await minutes(71)]).toEqual([true, true, false]);
    patience.restore();
    expect(await minutes(200)).toBe(true);
    clock.mockRestore();
  });

  it('ends its pause with the run', async () => {
    const stop = new AbortController();
    const { patience } = patienceWith(new RetryBudget());
    const pause = patience.again({ ...setback, askedMs: 60_000, signal: stop.signal });
    stop.abort();
    await expect(pause).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('RetryBudget', () => {
  it('is shared: what one request spends, the next does not have', async () => {
    const budget = new RetryBudget();
    let retries = 0;
    for (let request = 0; request < 55; request += 1)
      retries += await countOf(patienceWith(budget).patience);
    const { patience } = patienceWith(budget);
    while (retries < 500 && (await patience.again(setback))) retries += 1;
    expect(retries).toBe(500);
    await expect(patienceWith(budget).patience.again(setback)).rejects.toMatchObject({
      code: 'REGISTRY',
      exitStatus: 25,
    });
  });

  it('says that it is used up, once, and what to do', async () => {
    const budget = new RetryBudget();
    while (budget.spend());
    const { patience, events } = patienceWith(budget);
    const [thrown] = await Promise.allSettled([patience.again(setback)]);
    await expect(patience.again(setback)).rejects.toThrow();
    expect(events.map(({ type }) => type)).toEqual(['noticed']);
    expect(thrown).toMatchObject({
      status: 'rejected',
      reason: { hint: expect.stringContaining('--concurrency') as string, temporary: false },
    });
  });

  it('hides no graver failure, and makes no network out to be absent', async () => {
    const budget = new RetryBudget();
    while (budget.spend());
    for (const [code, expected] of [
      ['CONTENT_MISMATCH', 'CONTENT_MISMATCH'],
      ['NETWORK', 'REGISTRY'],
    ] as const) {
      const error = new BundleError(code, 'it failed', { expected: 'a', got: 'b' });
      const again = patienceWith(budget).patience.again({ ...setback, error });
      await expect(again).rejects.toMatchObject({
        code: expected,
        expected: 'a',
        got: 'b',
        cause: error,
      });
    }
  });

  it('gives one retry for two requests that succeed, and never more than it had', () => {
    const budget = new RetryBudget();
    for (let spent = 0; spent < 500; spent += 1) expect(budget.spend()).toBe(true);
    budget.earn();
    expect(budget.spend()).toBe(false);
    budget.earn();
    expect(budget.spend()).toBe(true);
    for (let earned = 0; earned < 5000; earned += 1) budget.earn();
    let left = 0;
    while (budget.spend()) left += 1;
    expect(left).toBe(500);
  });

  it('carries a run in which one request of five fails, however long, and ends one in which every second does', () => {
    for (const [every, carries] of [
      [5, true],
      [2, false],
    ] as const) {
      const budget = new RetryBudget();
      let isEnough = true;
      for (let request = 1; request <= 20_000; request += 1) {
        if (request % every === 0) isEnough &&= budget.spend();
        else budget.earn();
      }
      expect(isEnough).toBe(carries);
    }
  });
});
