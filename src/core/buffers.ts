/** The smallest buffer that is handed out; below it the bookkeeping costs more than the memory. */
const SMALLEST = 64 * 1024;

/**
 * A fixed amount of memory that is used over and over. Buffers come in powers of two, are handed out strictly in the
 * order of asking, and count with their full length, so what is in flight never exceeds the budget.
 */
export class BufferPool {
  readonly #budget: number;
  readonly #free = new Map<number, Uint8Array[]>();
  readonly #waiting: { readonly length: number; readonly grant: (buffer: Uint8Array) => void }[] = [];
  #inUse = 0;

  /** @param budget bytes. */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** A buffer of at least `length` bytes, as soon as all who asked before have theirs and the budget allows it. */
  acquire(length: number): Promise<Uint8Array> {
    const rounded = roundUp(length);
    if (rounded > this.#budget) throw new RangeError(`a buffer of ${rounded} bytes is over the budget of ${this.#budget}`);
    return new Promise((grant) => {
      this.#waiting.push({ length: rounded, grant });
      this.#serve();
    });
  }

  /** Gives a buffer back; its owner must not touch it any more. */
  release(buffer: Uint8Array): void {
    this.#inUse -= buffer.length;
    const list = this.#free.get(buffer.length) ?? [];
    list.push(buffer);
    this.#free.set(buffer.length, list);
    this.#serve();
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next && this.#inUse + next.length <= this.#budget; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#inUse += next.length;
      next.grant(this.#take(next.length));
    }
  }

  #take(length: number): Uint8Array {
    const recycled = this.#free.get(length)?.pop();
    if (recycled !== undefined) return recycled;
    this.#trim(length);
    return Buffer.allocUnsafeSlow(length);
  }

  /** Idle buffers of other sizes make room, so that idle and used ones together stay within the budget. */
  #trim(length: number): void {
    let idle = [...this.#free.values()].flat().reduce((total, buffer) => total + buffer.length, 0);
    for (const [size, list] of this.#free) {
      while (this.#inUse + idle > this.#budget && size !== length && list.length > 0) {
        list.pop();
        idle -= size;
      }
    }
  }
}

function roundUp(length: number): number {
  let size = SMALLEST;
  while (size < length) size *= 2;
  return size;
}
