import type { Observe } from '../../../core/events.ts';

const WATCH_MS = 15_000;

export interface WatchOptions {
  readonly observe: Observe | undefined;
  /** The request that may have to wait: `GET https://…`. */
  readonly what: string;
  /** How long nothing moves before that is reported, and then again; 15 s unless told. */
  readonly everyMs?: number | undefined;
}

/** Reports, every so often, that something has been waiting for the other end. */
export class Watch {
  readonly #timer: NodeJS.Timeout | undefined;
  #since = performance.now();

  constructor({ observe, what, everyMs = WATCH_MS }: WatchOptions) {
    if (observe === undefined) return;
    this.#timer = setInterval(() => {
      const silentMs = Math.round(performance.now() - this.#since);
      if (silentMs >= everyMs) observe({ type: 'waiting', what, silentMs });
    }, everyMs);
  }

  /** Something has moved. */
  moved(): void {
    this.#since = performance.now();
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
