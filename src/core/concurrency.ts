import { setMaxListeners } from 'node:events';

import { gravest } from './errors.ts';

/** The signal that ends when either does, for any number of listeners: Node would take more than ten for a leak. */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const combined = AbortSignal.any(signals.filter((signal) => signal !== undefined));
  setMaxListeners(0, combined);
  return combined;
}

/**
 * Runs `task` for every item, at most `limit` at a time, in the order of the items. The first failure aborts the
 * signal that the tasks were given and starts no further one; all that run have settled when this returns or throws.
 *
 * @param limit a positive integer, else RangeError: a limit of NaN would run nothing and report success.
 * @throws the gravest failure that was not caused by the abort itself.
 */
export async function forEachLimited<T>(
  items: Iterable<T>,
  limit: number,
  task: (item: T, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError(`concurrency limit: ${limit}`);
  const stop = new AbortController();
  const combined = anySignal(signal, stop.signal);
  const queue = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    while (!combined.aborted) {
      try {
        const next = queue.next();
        if (next.done === true) return;
        await task(next.value, combined);
      } catch (error) {
        if (!isAbort(error)) failures.push(error);
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  signal?.throwIfAborted();
  if (failures.length > 0) throw gravest(failures);
}

/** `forEachLimited` that keeps what the tasks return, in the order of the items. */
export async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
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

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
