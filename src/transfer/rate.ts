import { setTimeout as sleep } from 'node:timers/promises';

/**
 * How much may be spent at once after a pause: a quarter of a second's worth, so that the rate
 * stays even.
 */
const BURST_SECONDS = 0.25;

/** A limit on bytes per second, shared by all who spend from it. */
export class RateLimit {
  readonly #bytesPerMs: number;
  readonly #burst: number;
  #balance = 0;
  #settled = performance.now();

  /** @param bytesPerSecond more than 0. */
  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#burst = bytesPerSecond * BURST_SECONDS;
  }

  /** Takes note of bytes that were moved, and waits until the rate is kept again. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    this.#balance =
      Math.min(this.#burst, this.#balance + (now - this.#settled) * this.#bytesPerMs) - bytes;
    this.#settled = now;
    if (this.#balance < 0) await sleep(-this.#balance / this.#bytesPerMs, undefined, { signal });
  }
}
