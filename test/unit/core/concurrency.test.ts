import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forEachLimited, mapLimited, Pace } from '../../../src/core/concurrency.ts';
import { BundleError } from '../../../src/core/errors.ts';

const soon = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new DOMException('aborted', 'AbortError'));
    });
  });
}

describe('forEachLimited', () => {
  it.each([NaN, 0, -1, 1.5, Infinity, 2 ** 53])(
    'refuses a limit of %s, and runs nothing',
    async (limit) => {
      let ran = 0;
      const run = forEachLimited([1, 2], limit, async () => {
        ran += 1;
      });
      await expect(run).rejects.toThrow(RangeError);
      expect(ran).toBe(0);
    },
  );

  it('runs every task once, in order, and never more than the limit at a time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(30), fc.integer({ min: 1, max: 8 }), async (count, limit) => {
        const started: number[] = [];
        let running = 0;
        let most = 0;
        const items = Array.from({ length: count }, (_, index) => index);
        await forEachLimited(items, limit, async (item) => {
          started.push(item);
          running += 1;
          most = Math.max(most, running);
          for (let turns = item % 3; turns >= 0; turns -= 1) await soon();
          running -= 1;
        });
        expect(started).toEqual(items);
        expect(most).toBe(Math.min(limit, count));
      }),
      { numRuns: 30 },
    );
  });

  it('takes from an iterator only what it can start', async () => {
    let taken = 0;
    const items = (function* (): Generator<number> {
      for (;;) yield (taken += 1);
    })();
    const stop = new AbortController();
    const run = forEachLimited(
      items,
      2,
      async (item) => {
        if (item === 5) stop.abort(new BundleError('INTERRUPTED', 'enough'));
        await soon();
      },
      stop.signal,
    );
    await expect(run).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(taken).toBeLessThanOrEqual(6);
  });

  it('aborts the others at the first failure, starts no more, and waits until all have settled', async () => {
    const failure = new BundleError('CONTENT_MISMATCH', 'wrong');
    const started: number[] = [];
    let settled = 0;
    const run = forEachLimited([0, 1, 2, 3, 4, 5], 3, async (item, signal) => {
      started.push(item);
      try {
        if (item === 2) throw failure;
        await untilAborted(signal);
      } finally {
        await soon();
        settled += 1;
      }
    });
    await expect(run).rejects.toBe(failure);
    expect(started).toEqual([0, 1, 2]);
    expect(settled).toBe(3);
  });

  it('reports the gravest failure, not the first, and no abort that it caused', async () => {
    const run = forEachLimited([0, 1, 2], 3, async (item, signal) => {
      if (item === 0) throw new BundleError('NETWORK', 'first');
      if (item === 1) return untilAborted(signal);
      await soon();
      throw new BundleError('SIGNATURE_INVALID', 'later and graver');
    });
    await expect(run).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });

  it('reports an interruption as such', async () => {
    const stop = new AbortController();
    const reason = new BundleError('INTERRUPTED', 'stopped by hand');
    const run = forEachLimited(
      [0, 1, 2, 3],
      2,
      async (_, signal) => untilAborted(signal),
      stop.signal,
    );
    stop.abort(reason);
    await expect(run).rejects.toBe(reason);
    await expect(
      forEachLimited(
        [1],
        1,
        async () => {
          throw new Error('was started');
        },
        stop.signal,
      ),
    ).rejects.toBe(reason);
  });

  it('waits for the running tasks when the list of items breaks', async () => {
    const broken = new Error('the list broke');
    const items = (function* (): Generator<number> {
      yield 1;
      throw broken;
    })();
    let settled = false;
    const run = forEachLimited(items, 2, async () => {
      await soon();
      settled = true;
    });
    await expect(run).rejects.toBe(broken);
    expect(settled).toBe(true);
  });
});

describe('mapLimited', () => {
  it('gives the results in the order of the items', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(4), { maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        async (delays, limit) => {
          const results = await mapLimited(delays, limit, async (delay) => {
            for (let turns = 0; turns < delay; turns += 1) await soon();
            return delay * 2;
          });
          expect(results).toEqual(delays.map((delay) => delay * 2));
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('Pace', () => {
  const pressed = (pace: Pace, times: number): void => {
    for (let time = 0; time < times; time += 1) pace.fall(performance.now());
  };
  /** Somebody who is never let in, and so waits all the time. */
  const withOneWaiting = async (pace: Pace, body: () => void): Promise<void> => {
    const stop = new AbortController();
    const waiting = pace.turn(pace.most, stop.signal);
    body();
    stop.abort();
    await waiting;
  };

  it.each([
    // + went well, - the other end is pressed
    { most: 8, start: 8, events: '++++', seen: [] },
    { most: 8, start: 2, events: '++++++++', seen: [3, 4, 5, 6, 7, 8] },
    {
      most: 32,
      start: 8,
      events: '+'.repeat(30),
      seen: Array.from({ length: 24 }, (_, n) => n + 9),
    },
    { most: 8, start: 8, events: '-', seen: [4] },
    { most: 8, start: 8, events: '----', seen: [4, 2, 1] },
    { most: 8, start: 8, events: `----${'+'.repeat(40)}`, seen: [4, 2, 1, 2, 3, 4, 5, 6, 7, 8] },
    { most: 8, start: 2, events: '++-+++', seen: [3, 4, 2, 3] },
    { most: 9, start: 9, events: '-++++', seen: [4, 5] },
    { most: 9, start: 9, events: '-+++-++', seen: [4, 2, 3] },
    { most: 1, start: 1, events: '-+-+', seen: [] },
  ])('of $start, up to $most, after $events', async ({ most, start, events, seen }) => {
    const pace = new Pace(most, start);
    const numbers = [start];
    await withOneWaiting(pace, () => {
      for (const event of events) {
        if (event === '+') pace.rise();
        else pressed(pace, 1);
        if (pace.now !== numbers.at(-1)) numbers.push(pace.now);
      }
    });
    expect(numbers).toEqual([start, ...seen]);
  });

  it('does not rise while nobody waits: what is not used up says nothing about more', async () => {
    const pace = new Pace(32, 8);
    for (let well = 0; well < 100; well += 1) pace.rise();
    expect(pace.now).toBe(8);
    await withOneWaiting(pace, () => {
      pace.rise();
    });
    expect(pace.now).toBe(9);
  });

  it('falls once for all that was under way together', () => {
    const pace = new Pace(8);
    const begun = performance.now();
    for (let request = 0; request < 8; request += 1) pace.fall(begun);
    expect(pace.now).toBe(4);
  });

  it.each([[0], [-1], [1.5], [Number.NaN], [8, 0], [8, 1.5], [8, Number.NaN], [8, 9]])(
    'cannot be of %d, %d',
    (most, start?: number) => {
      expect(() => new Pace(most, start)).toThrow(RangeError);
    },
  );

  it('lets in who waits as it rises, one for each step, and everybody in order', async () => {
    const pace = new Pace(5, 2);
    const started: number[] = [];
    let finish: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (finish = resolve));
    const run = forEachLimited([0, 1, 2, 3, 4, 5, 6], pace, async (item) => {
      started.push(item);
      await held;
    });
    for (const expected of [2, 3, 4, 5, 5]) {
      await soon();
      expect(started).toHaveLength(expected);
      pace.rise();
    }
    finish();
    await run;
    expect(started).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('is kept by tasks: no more than it allows run, and all are done in the end', async () => {
    const pace = new Pace(6);
    let running = 0;
    const afterFall: number[] = [];
    let done = 0;
    await forEachLimited(Array.from({ length: 60 }).keys(), pace, async (item) => {
      running += 1;
      if (item === 5) pressed(pace, 9);
      if (item > 12 && item < 30) afterFall.push(running);
      if (item >= 30) pace.rise();
      await soon();
      running -= 1;
      done += 1;
    });
    expect(done).toBe(60);
    expect(new Set(afterFall)).toEqual(new Set([1]));
    expect(pace.now).toBe(6);
  });

  it('leaves nobody waiting when a task fails or the run is aborted', async () => {
    const pace = new Pace(4);
    pressed(pace, 9);
    const failure = new BundleError('NETWORK', 'broken');
    await expect(
      forEachLimited([0, 1, 2], pace, async () => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    const stop = new AbortController();
    const run = forEachLimited(
      [0, 1, 2],
      pace,
      async (_, signal) => untilAborted(signal),
      stop.signal,
    );
    stop.abort(failure);
    await expect(run).rejects.toBe(failure);
  });
});
