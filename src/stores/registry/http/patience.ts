import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { BundleError } from '../../../core/errors.ts';
import type { Observe } from '../../../core/events.ts';
import { backoff, BUDGET_EXHAUSTED } from '../../../core/http/backoff.ts';

/**
 * Enough that one failure in five, at random, ends no run: the tenth in a row comes once in ten
 * million requests.
 */
const ATTEMPTS = 10;
const LONGEST_MS = 10 * 60 * 1000;

/**
 * Retries that a run can make at once, as when a switch is restarted; and what each success gives
 * back.
 */
const RETRIES_OF_A_RUN = 500;
const RETRIES_PER_SUCCESS = 0.5;

const USED_UP =
  `${BUDGET_EXHAUSTED}: ${RETRIES_OF_A_RUN} retries used; ` +
  'more than a third of all requests fail';
const NEXT =
  'Look for a proxy, a firewall or an overloaded registry on the way, or try --concurrency 1. ' +
  'Then run the same command again: finished work is kept.';

/**
 * How many retries a whole run may make: about one for each two requests that succeed, and a
 * reserve.
 */
export class RetryBudget {
  #left = RETRIES_OF_A_RUN;
  #isTold = false;

  /** `false` where the run has no retry left. */
  spend(): boolean {
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  /** Tells that it is used up, once in a run. */
  tell(observe: Observe | undefined): void {
    const retries = RETRIES_OF_A_RUN;
    if (!this.#isTold) observe?.({ type: 'noticed', code: 'retry-budget-exhausted', retries });
    this.#isTold = true;
  }

  earn(): void {
    this.#left = Math.min(RETRIES_OF_A_RUN, this.#left + RETRIES_PER_SUCCESS);
  }
}

export interface PatienceOptions {
  readonly budget: RetryBudget;
  /** The first backoff in milliseconds. */
  readonly backoffMs: number;
  readonly observe: Observe | undefined;
  /** Ends a pause that was given no signal of its own. */
  readonly signal: AbortSignal | undefined;
  /** Attempts in all; ten unless told. */
  readonly attempts?: number | undefined;
}

export interface Setback {
  /** The request that is retried: `GET https://…`. */
  readonly what: string;
  readonly cause: string;
  /** The failure, where it is more than a failure of the network. */
  readonly error?: BundleError | undefined;
  /** Milliseconds that the server asks for. */
  readonly askedMs?: number | undefined;
  /** Attempts in all, where such a failure is worth fewer than others. */
  readonly most?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * How often one thing is tried where it gets no further: ten times within ten minutes, as long as
 * the run has retries left.
 */
export class Patience {
  readonly #options: PatienceOptions;
  #attempts = 0;
  /**
   * Counted from the first setback, on the clock of `performance.now()`: a transfer may well take
   * hours.
   */
  #deadline: number | undefined;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /**
   * Tells of a setback and waits for the next attempt; `false`, at once, where there shall be none.
   * @throws BundleError where the run has no retry left.
   */
  async again({
    what,
    cause,
    error,
    askedMs,
    most = Number.POSITIVE_INFINITY,
    signal = this.#options.signal,
  }: Setback): Promise<boolean> {
    const { attempts = ATTEMPTS, budget, backoffMs, observe } = this.#options;
    this.#attempts += 1;
    this.#deadline ??= performance.now() + LONGEST_MS;
    const delayMs = askedMs ?? backoff(this.#attempts, backoffMs);
    if (this.#attempts >= Math.min(attempts, most) || performance.now() + delayMs > this.#deadline)
      return false;
    if (!budget.spend()) {
      budget.tell(observe);
      throw usedUp(what, cause, error);
    }
    observe?.({ type: 'retried', what, cause, attempt: this.#attempts, delayMs });
    if (signal) setMaxListeners(0, signal);
    await sleep(delayMs, undefined, signal && { signal });
    return true;
  }

  /** The transfer got further: attempts and time are counted from zero again. */
  restore(): void {
    this.#attempts = 0;
    this.#deadline = undefined;
  }
}

/** A network that fails is not one that is not there: nobody shall go on as if it were. */
function usedUp(what: string, cause: string, error: BundleError | undefined): BundleError {
  const { code = 'REGISTRY', expected, got } = error ?? {};
  const message = `cannot ${what.replace(/^(?=[A-Z]+ http)/, 'send ')}: ${cause}, and ${USED_UP}`;
  return new BundleError(code === 'NETWORK' ? 'REGISTRY' : code, message, {
    hint: NEXT,
    cause: error,
    expected,
    got,
  });
}
