import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BufferRing, type Lent } from '../../../src/transfer/ring.ts';

/** Lets everything happen that waits for nothing but its turn. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Stretches that were asked for, in this order, and those that were lent. */
class Borrowers {
  readonly lent: Lent[] = [];
  readonly #ring: BufferRing;

  constructor(ring: BufferRing) {
    this.#ring = ring;
  }

  ask(length: number): void {
    void this.#ring.borrow(length).then((lent) => this.lent.push(lent));
  }

  async giveBack(...indexes: readonly number[]): Promise<void> {
    for (const index of indexes) this.#ring.giveBack(this.lent[index]!);
    await turn();
  }
}

/** Where a stretch lies, from and to. */
function placeOf({ bytes }: Lent): readonly [number, number] {
  return [bytes.byteOffset, bytes.byteOffset + bytes.length];
}

describe('BufferRing', () => {
  it('takes no more memory than all stretches together, and lends each of them at once', async () => {
    const lengths = [3, 0, 4, 1];
    const ring = new BufferRing(1000, 4, 8);
    const borrowers = new Borrowers(ring);
    for (const length of lengths) borrowers.ask(length);
    await turn();
    expect(borrowers.lent.map(({ bytes }) => bytes.length)).toEqual(lengths);
    expect(borrowers.lent[0]!.bytes.buffer.byteLength).toBe(8);
  });

  it('lends what it has room for, and the rest in order when there is room again', async () => {
    const borrowers = new Borrowers(new BufferRing(10, 4));
    for (const length of [4, 4, 4, 3, 1]) borrowers.ask(length);
    await turn();
    expect(borrowers.lent.map(({ bytes }) => bytes.length)).toEqual([4, 4, 4]);
    // What is given back out of order is free when everything before it is.
    await borrowers.giveBack(1);
    expect(borrowers.lent).toHaveLength(3);
    await borrowers.giveBack(0);
    expect(borrowers.lent.map(({ bytes }) => bytes.length)).toEqual([4, 4, 4, 3, 1]);
  });

  it('lets nobody pass who asked later, though there would be room', async () => {
    const borrowers = new Borrowers(new BufferRing(8, 4));
    for (const length of [4, 4, 3, 4, 1]) borrowers.ask(length);
    await turn();
    expect(borrowers.lent.map(({ bytes }) => bytes.length)).toEqual([4, 4, 3]);
    await borrowers.giveBack(0, 1);
    expect(borrowers.lent).toHaveLength(5);
  });

  it('uses its memory again over the seam', async () => {
    const borrowers = new Borrowers(new BufferRing(8, 4));
    for (let index = 0; index < 50; index += 1) {
      borrowers.ask(3);
      await turn();
      await borrowers.giveBack(index);
    }
    const starts = new Set(borrowers.lent.map((lent) => placeOf(lent)[0]));
    expect(borrowers.lent).toHaveLength(50);
    expect(starts.size).toBeLessThanOrEqual(12);
  });

  it('can lend all of its memory at once, and no more', async () => {
    const ring = new BufferRing(8, 4);
    const { bytes } = await ring.borrow(12);
    expect(bytes).toHaveLength(12);
    expect(() => ring.borrow(13)).toThrow(RangeError);
  });

  it('has room for stretches without a byte, and they are in nobody’s way', async () => {
    const borrowers = new Borrowers(new BufferRing(4, 4));
    for (const length of [2, 0, 0, 4, 0]) borrowers.ask(length);
    await turn();
    expect(borrowers.lent).toHaveLength(5);
    await borrowers.giveBack(0);
    for (const length of [0, 4]) borrowers.ask(length);
    await turn();
    expect(borrowers.lent).toHaveLength(6);
    await borrowers.giveBack(3);
    expect(borrowers.lent).toHaveLength(6); // two stretches without a byte are before it
    await borrowers.giveBack(1, 2);
    expect(borrowers.lent).toHaveLength(7);
  });

  it('does not take back what it did not lend', async () => {
    const ring = new BufferRing(8, 4);
    const lent = await ring.borrow(4);
    expect(() => {
      ring.giveBack({ bytes: lent.bytes });
    }).toThrow(RangeError);
    ring.giveBack(lent);
    expect(() => {
      ring.giveBack(lent);
    }).toThrow(RangeError);
  });

  it('keeps its promises for whoever asks and gives back, in whatever order', async () => {
    const longest = 5;
    const capacities = fc.integer({ min: longest, max: 17 });
    // Asks for a stretch of this length, or gives back the one of those under way.
    const asks = fc.record({ ask: fc.integer({ min: 0, max: longest }) });
    const returns = fc.record({ back: fc.nat(20) });
    await fc.assert(
      fc.asyncProperty(
        capacities,
        fc.array(fc.oneof(asks, returns), { maxLength: 60 }),
        async (capacity, steps) => {
          const ring = new BufferRing(capacity, longest);
          const borrowers = new Borrowers(ring);
          const asked: number[] = [];
          const isBack = new Set<number>();
          for (const step of steps) {
            if ('ask' in step) {
              asked.push(step.ask);
              borrowers.ask(step.ask);
            } else {
              const open = borrowers.lent.map((_, index) => index).filter((i) => !isBack.has(i));
              const index = open[step.back % open.length];
              if (index === undefined) continue;
              isBack.add(index);
              ring.giveBack(borrowers.lent[index]!);
            }
            await turn();
            check(borrowers.lent, asked, isBack, capacity);
          }
        },
      ),
      { numRuns: 150 },
    );

    function check(
      lent: readonly Lent[],
      asked: readonly number[],
      isBack: ReadonlySet<number>,
      capacity: number,
    ): void {
      // First come, first served, each with the length that it asked for.
      expect(lent.map(({ bytes }) => bytes.length)).toEqual(asked.slice(0, lent.length));
      // Nothing that is out lies on anything else that is out.
      const out = lent.filter((one, index) => !isBack.has(index) && one.bytes.length > 0);
      const places = out.map(placeOf).toSorted(([a], [b]) => a - b);
      for (const [index, [start]] of places.entries())
        if (index > 0) expect(start).toBeGreaterThanOrEqual(places[index - 1]![1]);
      // What is not free yet begins with the oldest that is out. Whoever waits waits for room.
      const oldest = lent.findIndex((_, index) => !isBack.has(index));
      const taken = (oldest === -1 ? [] : lent.slice(oldest)).reduce(
        (total, { bytes }) => total + bytes.length,
        0,
      );
      expect(taken).toBeLessThanOrEqual(capacity + longest);
      const next = asked[lent.length];
      if (next !== undefined) expect(taken + next).toBeGreaterThan(capacity);
    }
  });
});
