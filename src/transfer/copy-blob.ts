import { type ByteStream, streamOf } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, hasCode, type Side } from '../core/errors.ts';
import type { ReadOnlyStore, Store } from '../core/store.ts';
import type { CopyCounts, CopyOptions } from './copy-options.ts';
import { Holders } from './holders.ts';
import type { PlannedImage } from './image.ts';
import { onSide, streamOn } from './sides.ts';
import { givenBy, verified } from './verified.ts';

/**
 * Brings blobs to targets. What a target holds already is not sent; what another target holds is
 * mounted from there, or at least read from there.
 */
export class BlobCopier {
  readonly #bytes: ReadonlyMap<Digest, Uint8Array>;
  readonly #counts: CopyCounts;
  readonly #options: CopyOptions;
  readonly #holders: Holders;

  /** @param bytes of blobs that are in memory. */
  constructor(bytes: ReadonlyMap<Digest, Uint8Array>, counts: CopyCounts, options: CopyOptions) {
    this.#bytes = bytes;
    this.#counts = counts;
    this.#options = options;
    this.#holders = new Holders(options.held);
  }

  /**
   * @param image the first one that needs the blob there.
   * @throws BundleError with its side.
   */
  async copy(
    descriptor: Descriptor,
    image: PlannedImage,
    target: Store,
    signal: AbortSignal,
  ): Promise<void> {
    const { observe } = this.#options;
    const { digest, size: bytes } = descriptor;
    const { blobs } = this.#counts;
    const event = { digest, bytes, image: image.name };
    const state = await this.#askFor(descriptor, target, signal);
    if (state === 'absent') {
      observe({ type: 'started', ...event });
      await this.#push(descriptor, image.store, target, signal);
      blobs.pushed += 1;
      blobs.pushedBytes += bytes;
      observe({ type: 'finished', ...event });
    } else {
      blobs[state] += 1;
      if (state === 'skipped') blobs.skippedBytes += bytes;
      observe({ type: 'skipped', ...event });
    }
    this.#holders.add(digest, target);
  }

  /**
   * Sends a blob again that a target does not hold any more. It was counted when it was copied.
   * @throws BundleError with its side; NOT_REPLAYABLE where it came through a pipe.
   */
  async restore(
    descriptor: Descriptor,
    image: PlannedImage,
    target: Store,
    signal: AbortSignal,
  ): Promise<void> {
    if (await target.exists(descriptor, { signal })) return;
    const read = this.#reader(descriptor, image.store, signal);
    const again = (start: number): ByteStream => streamOn('source', read(start));
    const { isSteady } = image.store;
    await target.push(descriptor, again(0), { signal, again, isSteady, isAbsent: true });
  }

  async #askFor(
    descriptor: Descriptor,
    target: Store,
    signal: AbortSignal,
  ): Promise<'skipped' | 'mounted' | 'absent'> {
    try {
      // It was asked a moment ago; should it lose the blob all the same, the manifest is refused.
      if (this.#holders.of(descriptor.digest).has(target)) return 'skipped';
      if (await target.exists(descriptor, { signal })) return 'skipped';
      if (target.mount === undefined) return 'absent';
      for (const holder of this.#holders.of(descriptor.digest)) {
        if (await target.mount(descriptor, holder, { signal })) return 'mounted';
      }
      return 'absent';
    } catch (error) {
      throw onSide(error, 'target');
    }
  }

  async #push(
    descriptor: Descriptor,
    source: ReadOnlyStore,
    target: Store,
    signal: AbortSignal,
  ): Promise<void> {
    // In a pipe it is read where the pipe keeps it: that costs no request.
    const { pass, held } = this.#options;
    const isPipe = pass !== undefined && held?.has(descriptor.digest) !== true;
    const [holder] = isPipe ? [] : this.#holders.of(descriptor.digest);
    let side: Side = holder === undefined ? 'source' : 'target';
    const origin = this.#reader(descriptor, source, signal);
    const read =
      holder === undefined
        ? origin
        : heldOr(this.#reader(descriptor, holder, signal), origin, () => (side = 'source'));
    const again = this.#contentOf(descriptor, read, () => side);
    const { isSteady } = holder ?? source;
    try {
      await target.push(descriptor, again(0), { signal, again, isSteady, isAbsent: true });
    } catch (error) {
      // The error of the content itself already names its side, and so does that of a failed check.
      const isSource = side === 'source' && error instanceof BundleError && error.side === side;
      throw isSource
        ? givenBy(holder ?? source, descriptor.digest, error)
        : onSide(error, 'target');
    }
  }

  /** Gives the content from a byte on, as often as it is asked for. */
  #contentOf(
    descriptor: Descriptor,
    read: (start: number) => ByteStream,
    side: () => Side,
  ): (start: number) => AsyncGenerator<Uint8Array> {
    const { observe } = this.#options;
    const passes = this.#passes(descriptor);
    let wrong: BundleError | undefined;
    let sent = 0;
    return async function* from(start) {
      if (wrong !== undefined) throw wrong;
      if (sent > start) observe({ type: 'advanced', bytes: start - sent });
      sent = start;
      try {
        for await (const chunk of read(start)) {
          sent += chunk.length;
          observe({ type: 'advanced', bytes: chunk.length });
          yield chunk;
        }
      } catch (error) {
        const failure = onSide(error, side());
        if (passes && hasCode(failure, 'CONTENT_MISMATCH')) wrong = failure;
        throw failure;
      }
    };
  }
  /** The content from a byte on. What cannot be read again is checked here too. */
  #reader(
    descriptor: Descriptor,
    store: ReadOnlyStore,
    signal: AbortSignal,
  ): (start: number) => ByteStream {
    const bytes = this.#bytes.get(descriptor.digest);
    return (start) => {
      if (bytes !== undefined) return streamOf(bytes.subarray(start));
      if (start > 0)
        return store.fetch(descriptor, { range: { start, end: descriptor.size }, signal });
      const content = store.fetch(descriptor, { signal });
      return this.#passes(descriptor) ? verified(content, descriptor) : content;
    };
  }

  /** It cannot be read again: wrong content has to be told from content that has gone by. */
  #passes(descriptor: Descriptor): boolean {
    const { pass } = this.#options;
    return pass !== undefined && !pass.keepsWhole(descriptor);
  }
}

/**
 * What another target holds is read from there, unless it does not give it after all: a registry
 * may lose it, or let it only be written. Then it is read where it came from.
 */
function heldOr(
  held: (start: number) => ByteStream,
  origin: (start: number) => ByteStream,
  lost: () => void,
): (start: number) => AsyncGenerator<Uint8Array> {
  let isGiven = true;
  return async function* from(start) {
    let isBegun = false;
    if (isGiven) {
      try {
        for await (const chunk of held(start)) {
          isBegun = true;
          yield chunk;
        }
        return;
      } catch (error) {
        const refusals = ['NOT_ALLOWED', 'NOT_FOUND', 'REGISTRY'] as const;
        if (isBegun || !refusals.some((code) => hasCode(error, code))) throw error;
        isGiven = false;
        lost();
      }
    }
    yield* origin(start);
  };
}
