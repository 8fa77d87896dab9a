import type { TransferEvent } from '../../../core/events.ts';
import { formatDuration } from '../../units.ts';

/** Seconds that the rate looks back, more or less: long enough that it does not jump. */
const RATE_SECONDS = 8;
/** Seconds between two looks at the rate, at least. */
const SAMPLE_SECONDS = 0.5;
/** Before, a rate says more about the start than about the run. */
const LEAST_SECONDS = 2;
/** Seconds without a byte after which the last rate is no longer true. */
const STALL_SECONDS = 5;
/** A wait before the next attempt that has to be explained. */
const LONG_WAIT_SECONDS = 10;

export interface Work {
  readonly doneBytes: number;
  readonly bytes: number;
  readonly doneBlobs: number;
  readonly blobs: number;
}

export interface Count {
  readonly what: string;
  readonly done: number;
  readonly total: number;
}

/** Adds up the events of a run: how far it is, how fast, and what it is busy with. */
export class Tally {
  readonly #now: () => number;
  #phase = '';
  #phaseBegan: number;
  #count: Count | undefined;
  #planned: { blobs: number; bytes: number } | undefined;
  #doneBlobs = 0;
  #doneBytes = 0;
  /** Blobs that count as done, wherever they are needed besides. */
  readonly #done = new Set<string>();
  /** Blobs that are being moved, and the image that each is for. */
  readonly #underWay = new Map<string, string>();
  /** Whether something is said of a failure, and how long. `at`: when it is tried again. */
  #retry: { text: (wait: string) => string; at: number; until: number } | undefined;
  #lastCame: number;
  #rate = new Rate();

  /** @param now the time in seconds, from any beginning. */
  constructor(now: () => number = () => performance.now() / 1000) {
    this.#now = now;
    this.#phaseBegan = this.#lastCame = now();
  }

  add(event: TransferEvent): void {
    if (event.type === 'phase') this.#begin(event.what);
    else if (event.type === 'asking')
      this.#begin(''); // the next line is about the next phase
    else if (event.type === 'counted') this.#countTo(event);
    else if (event.type === 'planned') this.#plan(event);
    else if (event.type === 'started') this.#start(event);
    else if (event.type === 'advanced') this.#advance(event.bytes);
    else if (event.type === 'skipped' || event.type === 'finished') this.#finish(event);
    else if (event.type === 'waiting') {
      const text = `nothing has come for ${formatDuration(event.silentMs / 1000)}: ${event.what}`;
      this.#retry = { text: () => text, at: this.#now(), until: Number.POSITIVE_INFINITY };
    } else if (event.type === 'retried') {
      const text = (wait: string): string =>
        `retry ${event.attempt}${wait}: ${event.what}: ${event.cause}`;
      const at = this.#now() + event.delayMs / 1000;
      this.#retry = { text, at, until: at + STALL_SECONDS };
    }
  }

  #begin(what: string): void {
    this.#phase = what;
    this.#count = undefined;
    this.#phaseBegan = this.#now();
    this.#came();
  }

  #countTo({ what, done, total }: Count): void {
    if (done !== this.#count?.done) this.#came();
    this.#count = { what, done, total };
  }

  #plan({ blobs, bytes }: { readonly blobs: number; readonly bytes: number }): void {
    this.#planned = { blobs, bytes };
    this.#rate = new Rate();
    this.#came();
  }

  #start({ digest, bytes, image }: TransferEvent & { type: 'started' }): void {
    this.#underWay.set(digest, image);
    // A second repository could not take it from the first: it has to be sent once more.
    if (!this.#done.delete(digest) || this.#planned === undefined) return;
    this.#planned = { blobs: this.#planned.blobs + 1, bytes: this.#planned.bytes + bytes };
  }

  #advance(bytes: number): void {
    this.#doneBytes += bytes;
    if (bytes > 0) this.#came();
    this.#rate.add(bytes, this.#now());
  }

  #finish({ type, digest, bytes }: TransferEvent & { type: 'skipped' | 'finished' }): void {
    this.#underWay.delete(digest);
    this.#came();
    if (this.#done.has(digest)) return;
    this.#done.add(digest);
    this.#doneBlobs += 1;
    if (type === 'skipped') this.#doneBytes += bytes;
  }

  #came(): void {
    this.#lastCame = this.#now();
    this.#retry = undefined;
  }

  get phase(): string {
    return this.#phase;
  }

  /** How far a phase is that is counted. */
  get count(): Count | undefined {
    return this.#count;
  }

  /** How much of the blobs is done; `undefined` before their amount is known. */
  get work(): Work | undefined {
    if (this.#planned === undefined || this.#planned.blobs === 0) return undefined;
    const { blobs, bytes } = this.#planned;
    // What changed under way must not make it more than all.
    const doneBytes = Math.max(0, Math.min(this.#doneBytes, bytes));
    return { blobs, bytes, doneBytes, doneBlobs: Math.min(this.#doneBlobs, blobs) };
  }

  /** The image of the blob that was begun last, and how many others are under way. */
  get current(): { readonly image: string; readonly others: number } | undefined {
    const image = [...this.#underWay.values()].at(-1);
    return image === undefined ? undefined : { image, others: this.#underWay.size - 1 };
  }

  /** The request that is made again, or waited for, until something comes, or long after. */
  get retry(): string | undefined {
    if (this.#retry === undefined || this.#now() >= this.#retry.until) return undefined;
    const seconds = this.#retry.at - this.#now();
    return this.#retry.text(seconds < LONG_WAIT_SECONDS ? '' : ` in ${formatDuration(seconds)}`);
  }

  /** Seconds since the phase began. */
  get phaseSeconds(): number {
    return this.#now() - this.#phaseBegan;
  }

  /** Seconds since the last byte or count, once they are many; else 0. */
  get quietSeconds(): number {
    const quiet = this.#now() - this.#lastCame;
    return quiet < STALL_SECONDS ? 0 : quiet;
  }

  /** Bytes per second; `undefined` while nothing is known, or nothing comes. */
  get rate(): number | undefined {
    const rate = this.#rate.at(this.#now());
    return this.quietSeconds > 0 || rate <= 0 ? undefined : rate;
  }

  /** `undefined` as the rate is, and when all is moved. */
  get secondsLeft(): number | undefined {
    const { rate, work } = this;
    if (rate === undefined || work === undefined || work.doneBytes === work.bytes) return undefined;
    return (work.bytes - work.doneBytes) / rate;
  }
}

/** A mean of the speed in which what is long ago counts less and less. */
class Rate {
  #bytes = 0;
  #mean = 0;
  #began: number | undefined;
  #sampled = 0;

  add(bytes: number, now: number): void {
    this.at(now);
    this.#bytes += bytes;
  }

  at(now: number): number {
    if (this.#began === undefined) {
      this.#began = this.#sampled = now;
      return 0;
    }
    const seconds = now - this.#sampled;
    if (seconds >= SAMPLE_SECONDS) {
      const weight = 1 - Math.exp(-seconds / RATE_SECONDS);
      this.#mean += (this.#bytes / seconds - this.#mean) * weight;
      this.#bytes = 0;
      this.#sampled = now;
    }
    const total = this.#sampled - this.#began;
    // In the beginning the mean still has some of the 0 in it that it began with.
    return total < LEAST_SECONDS ? 0 : this.#mean / (1 - Math.exp(-total / RATE_SECONDS));
  }
}
