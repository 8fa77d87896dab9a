/** A stretch of the ring that is lent out. */
export interface Lent {
  readonly bytes: Uint8Array;
}

interface Loan extends Lent {
  readonly end: number;
  isBack: boolean;
}

/**
 * A fixed piece of memory that is lent out in stretches, around and around: no allocation while
 * data flows, and what is in flight never exceeds it. Stretches are lent strictly in the order of
 * asking and become free in that same order, so whoever consumes in order never waits for ever.
 */
export class BufferRing {
  readonly #memory: Uint8Array;
  readonly #loans: Loan[] = [];
  readonly #waiting: { readonly length: number; readonly grant: (lent: Lent) => void }[] = [];
  /** Where the next stretch begins. */
  #head = 0;
  /** Bytes of the stretches that are not free yet. */
  #taken = 0;

  /**
   * @param capacity bytes that can be in flight together, whatever their division into stretches.
   * @param longest the longest stretch that will be asked for, in bytes.
   * @param total of all stretches that will be asked for: where that is less, no more is taken. V8
   * counts what is taken, used or not, and goes over the whole heap for it.
   */
  constructor(capacity: number, longest: number, total = Number.POSITIVE_INFINITY) {
    // A stretch is contiguous: at the seam less than one of them is lost.
    this.#memory = Buffer.allocUnsafeSlow(Math.min(capacity + longest, total));
  }

  /** A stretch of `length` bytes, as soon as all who asked before have theirs and there is room. */
  borrow(length: number): Promise<Lent> {
    if (length > this.#memory.length)
      throw new RangeError(`a stretch of ${length} bytes is more than the ring has`);
    return new Promise((grant) => {
      this.#waiting.push({ length, grant });
      this.#serve();
    });
  }

  /** Gives a stretch back; its borrower must not touch it any more. */
  giveBack(lent: Lent): void {
    const loan = this.#loans.find((candidate) => candidate === lent);
    if (loan === undefined) throw new RangeError('given back what was not lent');
    loan.isBack = true;
    for (let [oldest] = this.#loans; oldest?.isBack === true; [oldest] = this.#loans) {
      this.#loans.shift();
      this.#taken -= oldest.bytes.length;
    }
    this.#serve();
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const start = this.#placeFor(next.length);
      if (start === undefined) return;
      this.#waiting.shift();
      const loan: Loan = {
        bytes: this.#memory.subarray(start, start + next.length),
        end: start + next.length,
        isBack: false,
      };
      this.#head = loan.end;
      this.#taken += next.length;
      this.#loans.push(loan);
      next.grant(loan);
    }
  }

  /**
   * The free stretch runs from the head to the oldest loan, over the seam where the head is behind
   * it.
   */
  #placeFor(length: number): number | undefined {
    const oldest = this.#loans[0];
    if (oldest === undefined) return 0;
    const fits = this.#head + length <= this.#memory.length;
    // Stretches without a byte are in nobody's way.
    if (this.#taken === 0) return fits ? this.#head : 0;
    const tail = oldest.end - oldest.bytes.length;
    if (this.#head > tail) {
      if (fits) return this.#head;
      return length < tail ? 0 : undefined;
    }
    return this.#head + length < tail ? this.#head : undefined;
  }
}
