import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { digestOf } from '../../../../../src/core/digest.ts';
import { Tally } from '../../../../../src/cli/present/progress/tally.ts';

const LAYER = { digest: digestOf('layer'), bytes: 100, image: 'etcd' };

/** A tally, and a clock that moves only when it is told to. */
function tallyAt(): { readonly tally: Tally; readonly wait: (seconds: number) => void } {
  let now = 1000;
  return { tally: new Tally(() => now), wait: (seconds) => (now += seconds) };
}

describe('the amount of work', () => {
  it('counts once what a second repository mounts that the first was sent', () => {
    const { tally } = tallyAt();
    tally.add({ type: 'planned', blobs: 3, bytes: 300, images: 2 });
    tally.add({ type: 'started', ...LAYER });
    tally.add({ type: 'advanced', bytes: 100 });
    tally.add({ type: 'finished', ...LAYER });
    tally.add({ type: 'skipped', ...LAYER });
    expect(tally.work).toEqual({ blobs: 3, bytes: 300, doneBlobs: 1, doneBytes: 100 });
  });

  it('grows where a second repository has to be sent it again', () => {
    const { tally } = tallyAt();
    tally.add({ type: 'planned', blobs: 1, bytes: 100, images: 2 });
    for (const part of [1, 2]) {
      tally.add({ type: 'started', ...LAYER });
      tally.add({ type: 'advanced', bytes: 100 });
      tally.add({ type: 'finished', ...LAYER });
      expect(tally.work).toMatchObject({ blobs: part, doneBytes: 100 * part, bytes: 100 * part });
    }
  });

  it('is never more than all, and never less than nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -500, max: 500 })), (steps) => {
        const { tally } = tallyAt();
        tally.add({ type: 'planned', blobs: 1, bytes: 100, images: 1 });
        for (const bytes of steps) tally.add({ type: 'advanced', bytes });
        const { doneBytes } = tally.work!;
        return doneBytes >= 0 && doneBytes <= 100;
      }),
    );
  });
});

describe('the rate', () => {
  it('is near the truth, and does not jump with the pieces that come', () => {
    const { tally, wait } = tallyAt();
    tally.add({ type: 'planned', blobs: 1, bytes: 1e9, images: 1 });
    const seen: number[] = [];
    for (let step = 0; step < 300; step += 1) {
      wait(0.1);
      // 10 bytes per second in the mean, in pieces of 20 every two seconds.
      if (step % 20 === 0) tally.add({ type: 'advanced', bytes: 20 });
      seen.push(tally.rate ?? 0);
    }
    const later = seen.slice(150);
    expect(Math.max(...later)).toBeLessThan(14);
    expect(Math.min(...later)).toBeGreaterThan(7);
  });

  it('is not told, as the time left is not, when nothing comes any more', () => {
    const { tally, wait } = tallyAt();
    tally.add({ type: 'planned', blobs: 1, bytes: 1000, images: 1 });
    for (let step = 0; step < 30; step += 1) {
      wait(0.1);
      tally.add({ type: 'advanced', bytes: 10 });
    }
    expect(tally.rate).toBeGreaterThan(50);
    expect(tally.secondsLeft).toBeGreaterThan(1);
    wait(20);
    expect({ rate: tally.rate, left: tally.secondsLeft }).toEqual({});
    expect(tally.quietSeconds).toBe(20);
    tally.add({ type: 'advanced', bytes: 10 });
    expect(tally.quietSeconds).toBe(0);
  });
});
