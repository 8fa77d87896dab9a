import { setMaxListeners } from 'node:events';

import { gravest } from './errors.ts';

/**
 * The signal that ends when either does, for any number of listeners: Node would take more than ten
 * for a leak.
 */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const combined = AbortSignal.any(signals.filter((signal) => signal !== undefined));
  setMaxListeners(0, combined);
  return combined;
}

/**
 * How many tasks run at once where the other end has a say: half as many when it is pressed, more
 * as long as it takes them, and never more than `most`. Up to the first fall each task that goes
 * well makes it one more, as TCP begins; after it, each round of tasks does.
 */
export class Pace {
  readonly most: number;
  #now: number;
  #hasFallen = false;
  /** How many requests succeeded since the number last changed. */
  #well = 0;
  #fellAt = Number.NEGATIVE_INFINITY;
  /** Those that may not go on yet, with their places. */
  readonly #waiting = new Map<() => void, number>();

  /** @param most and `start`, no larger: positive integers, else RangeError. */
  constructor(most: number, start: number = most) {
    checkLimit(most);
    checkLimit(start);
    if (start > most) throw new RangeError(`a pace of ${start} is above the most, ${most}`);
    this.most = most;
    this.#now = start;
  }

  get now(): number {
    return this.#now;
  }

  /**
   * The other end is pressed. What was `begun` (on the clock of `performance.now()`) before the
   * last fall says nothing new.
   */
  fall(begun: number): void {
    if (begun < this.#fellAt) return;
    this.#fellAt = performance.now();
    this.#now = Math.max(1, Math.floor(this.#now / 2));
    this.#hasFallen = true;
    this.#well = 0;
  }

  /**
   * Something went well. Where no task waits for its turn, that says nothing about a higher number.
   */
  rise(): void {
    if (this.#waiting.size === 0) return;
    this.#well += 1;
    if (this.#now === this.most || (this.#hasFallen && this.#well < this.#now)) return;
    this.#now += 1;
    this.#well = 0;
    for (const [wake, worker] of [...this.#waiting]) if (worker < this.#now) wake();
  }

  /**
   * Waits until the `worker`-th, from 0, may take another task; `false` where `signal` is aborted.
   * The first one never waits.
   */
  async turn(worker: number, signal: AbortSignal): Promise<boolean> {
    while (worker >= this.#now && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.set(wake, worker);
        signal.addEventListener('abort', wake);
      });
    }
    return !signal.aborted;
  }
}

/** Tasks at a time: a number that stays, or a pace that changes under way. */
export type Limit = number | Pace;

/**
 * Runs `task` for every item, at most `limit` at a time, in the order of the items. The first
 * failure aborts the signal that the tasks were given and starts no further one; all that run have
 * settled when this returns or throws.
 *
 * @param limit a positive integer, else RangeError: a limit of NaN would run nothing and report
 * success.
 * @throws the gravest failure that was not caused by the abort itself.
 */
export async function forEachLimited<T>(
  items: Iterable<T>,
  limit: Limit,
  task: (item: T, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const workers = limit instanceof Pace ? limit.most : limit;
  checkLimit(workers);
  const stop = new AbortController();
  const combined = anySignal(signal, stop.signal);
  const taken = new AbortController();
  const over = anySignal(combined, taken.signal);
  const queue = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const work = async (worker: number): Promise<void> => {
    while (!over.aborted) {
      try {
        if (limit instanceof Pace && worker >= limit.now && !(await limit.turn(worker, over)))
          return;
        const next = queue.next();
        if (next.done === true) taken.abort();
        else await task(next.value, combined);
      } catch (error) {
        if (!isAbort(error)) failures.push(error);
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  signal?.throwIfAborted();
  if (failures.length > 0) throw gravest(failures);
}

/** `forEachLimited` that keeps what the tasks return, in the order of the items. */
export async function mapLimited<T, R>(
  items: readonly T[],
  limit: Limit,
  task: (item: T, signal: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  await forEachLimited(
    items.entries(),
    limit,
    async ([index, item], combined) => {
      results[index] = await task(item, combined);
    },
    signal,
  );
  return results;
}

function checkLimit(limit: number): void {
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new RangeError(`concurrency limit: ${limit}`);
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
