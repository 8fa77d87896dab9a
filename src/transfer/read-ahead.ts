import type { ByteStream } from '../core/bytes.ts';
import { anySignal, forEachLimited, type Limit } from '../core/concurrency.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import type { PlannedBlob } from './plan.ts';
import type { RateLimit } from './rate.ts';
import { BufferRing, type Lent } from './ring.ts';
import { aboutImage, onSide, streamOn } from './sides.ts';
import { givenBy, mismatch, verified, verifiedWhole, type VerifiedStream } from './verified.ts';

const MiB = 1024 * 1024;
/**
 * Bytes of blobs that have been asked for and not yet consumed, at most: nothing is asked for
 * before it has its place in memory, so that this is also what a kill costs.
 */
const IN_FLIGHT = 24 * MiB;
/**
 * A larger blob is fetched in parts of this size: as long as eight requests at a time leave room
 * for, since for each of them a registry looks the blob up and fills a buffer, and some send the
 * client elsewhere. Twice as much, and twice the memory, saves 2 % of the time of a pack.
 */
const SEGMENT = 3 * MiB;
/** A blob that is no larger is checked whole before any of it is consumed. */
const WINDOW = IN_FLIGHT - SEGMENT;

export interface ReadAheadOptions {
  /** Requests at a time. */
  readonly concurrency: Limit;
  readonly signal: AbortSignal;
  readonly observe: Observe;
  /** Keeps the fetching to a rate. */
  readonly limit?: RateLimit | undefined;
  /** Is told which blob could not be had, where a failure of the source ends it. */
  readonly onLost?: ((blob: PlannedBlob, error: BundleError) => void) | undefined;
}

/**
 * Fetches blobs ahead, in parallel, and hands them to `consume` one after the other in the order of
 * the list.
 *
 * A blob that fits the window has been checked whole before its first byte is handed out; a larger
 * one is checked as it goes, and `consume` fails at its end if it is wrong. Wrong content is
 * fetched once more, whole and in one stream, before it is a failure; `consume` is then called
 * again for the same blob.
 * @throws BundleError naming the image: of the fetch on the side of the source, of `consume` on
 * that of the target.
 */
export async function readAhead(
  blobs: readonly PlannedBlob[],
  consume: (blob: PlannedBlob, content: VerifiedStream) => Promise<void>,
  options: ReadAheadOptions,
): Promise<void> {
  const stop = new AbortController();
  const signal = anySignal(options.signal, stop.signal);
  const total = blobs.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  const ring = new BufferRing(WINDOW, SEGMENT, total);
  const cut = new Map<PlannedBlob, readonly Segment[]>();
  /** Cut when first asked for, since a list of all would be long. */
  const segmentsOf = (blob: PlannedBlob): readonly Segment[] => {
    const segments =
      cut.get(blob) ?? rangesOf(blob.descriptor).map((range) => new Segment(blob, range));
    cut.set(blob, segments);
    return segments;
  };
  const queue = function* (): Generator<Segment> {
    for (const blob of blobs) yield* segmentsOf(blob);
  };

  // A failure is seen where the segment is consumed; only the abort is thrown here.
  const workers = forEachLimited(
    queue(),
    options.concurrency,
    (segment) => segment.fetch(ring, { ...options, signal }),
    signal,
  ).catch(() => undefined);

  try {
    for (const blob of blobs) {
      signal.throwIfAborted();
      await consumeOne(blob, segmentsOf(blob), consume, { ...options, ring, signal });
      cut.delete(blob);
    }
  } catch (error) {
    options.signal.throwIfAborted();
    throw error;
  } finally {
    stop.abort();
    await workers;
  }
}

async function consumeOne(
  blob: PlannedBlob,
  segments: readonly Segment[],
  consume: (blob: PlannedBlob, content: VerifiedStream) => Promise<void>,
  { ring, signal, observe, limit, onLost }: ReadAheadOptions & { readonly ring: BufferRing },
): Promise<void> {
  const { descriptor, store, image } = blob;
  observe({ type: 'started', digest: descriptor.digest, bytes: descriptor.size, image });
  try {
    try {
      await consume(
        blob,
        descriptor.size <= WINDOW
          ? await checkedWhole(segments, descriptor, ring)
          : checkedOnTheWay(segments, descriptor, ring),
      );
    } catch (error) {
      const isWrong = hasCode(error, 'CONTENT_MISMATCH') && error.side === 'source';
      if (!isWrong || store.isSteady === true) throw error;
      observe({
        type: 'retried',
        what: descriptor.digest,
        cause: error.message,
        attempt: 1,
        delayMs: 0,
      });
      observe({
        type: 'advanced',
        bytes: -segments.reduce((total, segment) => total + segment.received, 0),
      });
      for (const segment of segments) segment.abandon(ring);
      await consume(
        blob,
        verified(
          streamOn(
            'source',
            counted(store.fetch(descriptor, { signal }), { signal, observe, limit }),
          ),
          descriptor,
        ),
      );
    }
  } catch (thrown) {
    const error = givenBy(store, descriptor.digest, thrown);
    if (!(error instanceof BundleError)) throw error;
    if (error.side === 'source') onLost?.(blob, error);
    throw aboutImage(error.onSide(error.side ?? 'target'), image);
  }
  // Whatever was not read to its end shall not keep its place.
  for (const segment of segments) segment.abandon(ring);
  observe({ type: 'finished', digest: descriptor.digest, bytes: descriptor.size, image });
}

async function checkedWhole(
  segments: readonly Segment[],
  descriptor: Descriptor,
  ring: BufferRing,
): Promise<VerifiedStream> {
  const parts: Uint8Array[] = [];
  for (const segment of segments) parts.push(await segment.bytes());
  return verifiedWhole(parts, descriptor, (index) => {
    segments[index]?.release(ring);
  });
}

function checkedOnTheWay(
  segments: readonly Segment[],
  descriptor: Descriptor,
  ring: BufferRing,
): VerifiedStream {
  const parts = async function* (): AsyncGenerator<Uint8Array> {
    for (const segment of segments) {
      yield await segment.bytes();
      segment.release(ring);
    }
  };
  return verified(parts(), descriptor);
}

async function* counted(
  content: ByteStream,
  { signal, observe, limit }: Pick<ReadAheadOptions, 'signal' | 'observe' | 'limit'>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    observe({ type: 'advanced', bytes: chunk.length });
    await limit?.spend(chunk.length, signal);
    yield chunk;
  }
}

function rangesOf({ size }: Descriptor): { start: number; end: number }[] {
  const ranges = [{ start: 0, end: Math.min(size, SEGMENT) }];
  for (let start = SEGMENT; start < size; start += SEGMENT)
    ranges.push({ start, end: Math.min(size, start + SEGMENT) });
  return ranges;
}

/** A part of a blob, fetched into one buffer of the ring. */
class Segment {
  readonly blob: PlannedBlob;
  readonly #range: { readonly start: number; readonly end: number };
  readonly #done: Promise<Uint8Array>;
  #resolve!: (bytes: Uint8Array) => void;
  #reject!: (error: unknown) => void;
  #lent: Lent | undefined;
  #received = 0;
  #abandoned = false;

  constructor(blob: PlannedBlob, range: { start: number; end: number }) {
    this.blob = blob;
    this.#range = range;
    this.#done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // The consumer sees the failure. If there is no consumer, an earlier failure has ended the run.
    this.#done.catch(() => undefined);
  }

  /** Bytes that have come so far. */
  get received(): number {
    return this.#received;
  }

  /** Never throws: the failure is what {@link bytes} throws. */
  async fetch(ring: BufferRing, { signal, observe, limit }: ReadAheadOptions): Promise<void> {
    const { start, end } = this.#range;
    try {
      const lent = await abortable(ring.borrow(end - start), signal);
      this.#lent = lent;
      if (this.#isAbandoned()) return;
      const whole = start === 0 && end === this.blob.descriptor.size;
      for await (const chunk of this.blob.store.fetch(this.blob.descriptor, {
        signal,
        ...(!whole && { range: this.#range }),
      })) {
        if (this.#isAbandoned()) break;
        if (this.#received + chunk.length > end - start) throw tooLong(this.blob.descriptor);
        lent.bytes.set(chunk, this.#received);
        this.#received += chunk.length;
        observe({ type: 'advanced', bytes: chunk.length });
        await limit?.spend(chunk.length, signal);
      }
      this.#resolve(lent.bytes.subarray(0, this.#received));
    } catch (error) {
      this.#reject(onSide(error, 'source'));
    } finally {
      if (this.#isAbandoned()) this.release(ring);
    }
  }

  /**
   * A call, since the compiler takes a field that was false before an `await` to be false after it.
   */
  #isAbandoned(): boolean {
    return this.#abandoned;
  }

  bytes(): Promise<Uint8Array> {
    return this.#done;
  }

  /** Nobody wants it any more: from here on nothing is written into its buffer. */
  abandon(ring: BufferRing): void {
    this.#abandoned = true;
    this.release(ring);
  }

  release(ring: BufferRing): void {
    if (this.#lent === undefined) return;
    ring.giveBack(this.#lent);
    this.#lent = undefined;
  }
}

/** Waits for `promise` or the abort, whichever is first. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    void promise.then((value) => {
      signal.removeEventListener('abort', onAbort);
      resolve(value);
    });
  });
}

function tooLong(descriptor: Descriptor): BundleError {
  const { size } = descriptor;
  return mismatch(descriptor, 'size', `${size} bytes`, `more than ${size} bytes`);
}
