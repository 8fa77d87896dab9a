import { Pace } from '../core/concurrency.ts';
import type { Context } from '../core/context.ts';

/** Layers at a time. */
const TRANSFERS = 8;
/** Requests that bring next to nothing spend their time on the way. */
const LOOKUPS = 32;

/**
 * How many requests a run makes at once.
 * @param given with `--concurrency`: the most of all of them.
 */
export function limitsOf(given: number | undefined): Pick<Context, 'concurrency' | 'lookups'> {
  return {
    concurrency: new Pace(given ?? TRANSFERS),
    lookups: given === undefined ? new Pace(LOOKUPS, TRANSFERS) : new Pace(given),
  };
}
