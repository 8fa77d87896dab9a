import { type ByteStream, readAll } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { Digester } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { MAX_MANIFEST_BYTES } from '../core/limits.ts';
import type { ReadOnlyStore } from '../core/store.ts';

declare const brand: unique symbol;

/** A stream that ends only if its content is what was promised. Only {@link verified} makes one. */
export type VerifiedStream = ByteStream & { readonly [brand]: true };

/**
 * Passes `content` through and ends only if its size and digest are those of `expected`.
 *
 * The chunk that completes the size is handed on only when the digest is right and nothing follows,
 * so a consumer that announced the size (an upload with Content-Length) has not completed anything
 * when the content turns out to be wrong.
 * @throws BundleError CONTENT_MISMATCH, with both values.
 */
export function verified(content: ByteStream, expected: Descriptor): VerifiedStream {
  return check(content, expected) as unknown as VerifiedStream;
}

/**
 * The same for a blob whose parts are all in memory: it is checked whole before the first of them
 * is handed out.
 * @param taken is called when a part has been consumed and its memory may be used for something
 * else.
 * @throws BundleError CONTENT_MISMATCH, with both values.
 */
export function verifiedWhole(
  parts: readonly Uint8Array[],
  expected: Descriptor,
  taken: (index: number) => void,
): VerifiedStream {
  const digester = new Digester();
  for (const part of parts) digester.update(part);
  if (digester.size !== expected.size)
    throw mismatch(expected, 'size', `${expected.size} bytes`, `${digester.size} bytes`);
  const digest = digester.digest();
  if (digest !== expected.digest) throw mismatch(expected, 'digest', expected.digest, digest);
  const handOut = async function* (): AsyncGenerator<Uint8Array> {
    for (const [index, part] of parts.entries()) {
      yield part;
      taken(index);
    }
  };
  return handOut() as unknown as VerifiedStream;
}

/**
 * Does once more what found wrong content of a store: a cache or a wire may have altered it. Twice
 * is no accident, and no disk gives other bytes the second time.
 * @param what for the event of it.
 */
export async function twiceIfWrong<T>(
  { isSteady = false }: Pick<ReadOnlyStore, 'isSteady'>,
  task: () => Promise<T>,
  what: string,
  observe: Observe | undefined,
): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (!hasCode(error, 'CONTENT_MISMATCH') || isSteady) throw error;
    observe?.({ type: 'retried', what, cause: error.message, attempt: 1, delayMs: 0 });
    return task();
  }
}

/** A failure of wrong content, with the place that the content came from. */
export function givenBy(
  store: Pick<ReadOnlyStore, 'name' | 'placeOf'>,
  digest: Digest,
  error: unknown,
): unknown {
  if (!hasCode(error, 'CONTENT_MISMATCH')) return error;
  return error.from(store.placeOf?.(digest) ?? store.name);
}

/** The whole of a small blob of a store, checked, and asked for twice if it is wrong. */
export async function fetchVerified(
  store: ReadOnlyStore,
  descriptor: Descriptor,
  { signal, observe }: { readonly signal: AbortSignal; readonly observe: Observe | undefined },
): Promise<Uint8Array> {
  const read = async (): Promise<Uint8Array> =>
    readVerified(store.fetch(descriptor, { signal }), descriptor);
  const { digest } = descriptor;
  return twiceIfWrong(store, read, digest, observe).catch((error: unknown) => {
    throw givenBy(store, digest, error);
  });
}

/** After a break, at most this much more is re-read than was lost. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;

/**
 * Content that can be read again from any byte on, checked each time as {@link verified} does it:
 * over the whole, though nothing is read twice but what comes after the last checkpoint before that
 * byte.
 */
export class RepeatableContent {
  readonly #expected: Descriptor;
  readonly #read: (start: number) => ByteStream;
  readonly #distance: number;
  #checkpoints: Digester[] = [new Digester()];

  /**
   * @param read gives the content from a byte on, unchecked.
   * @param distance bytes between checkpoints.
   */
  constructor(
    expected: Descriptor,
    read: (start: number) => ByteStream,
    distance = CHECKPOINT_BYTES,
  ) {
    this.#expected = expected;
    this.#read = read;
    this.#distance = distance;
  }

  /** @throws BundleError CONTENT_MISMATCH, with both values. */
  async *from(start: number): AsyncGenerator<Uint8Array> {
    const known = this.#checkpoints.filter(({ size }) => size <= start);
    const checkpoint = known.at(-1)!;
    this.#checkpoints = known;
    const remember = (digester: Digester): void => {
      if (digester.size - this.#checkpoints.at(-1)!.size >= this.#distance)
        this.#checkpoints.push(digester.copy());
    };
    let skip = start - checkpoint.size;
    for await (const chunk of check(
      this.#read(checkpoint.size),
      this.#expected,
      checkpoint.copy(),
      remember,
    )) {
      const passed = Math.min(skip, chunk.length);
      skip -= passed;
      if (passed < chunk.length) yield chunk.subarray(passed);
    }
  }

  /** Forgets what was seen: it turned out to be wrong. */
  restart(): void {
    this.#checkpoints = this.#checkpoints.slice(0, 1);
  }
}

/** @param digester has seen what comes before `content`. */
async function* check(
  content: ByteStream,
  expected: Descriptor,
  digester = new Digester(),
  seen?: (digester: Digester) => void,
): AsyncGenerator<Uint8Array> {
  const checkEnd = (): void => {
    const digest = digester.digest();
    if (digest !== expected.digest) throw mismatch(expected, 'digest', expected.digest, digest);
  };
  let last: Uint8Array | undefined;
  if (expected.size === digester.size) checkEnd();
  for await (const chunk of content) {
    if (chunk.length === 0) continue;
    if (digester.size + chunk.length > expected.size) {
      throw mismatch(
        expected,
        'size',
        `${expected.size} bytes`,
        `more than ${expected.size} bytes`,
      );
    }
    digester.update(chunk);
    seen?.(digester);
    if (digester.size < expected.size) {
      yield chunk;
      continue;
    }
    checkEnd();
    last = Uint8Array.from(chunk);
  }
  if (digester.size !== expected.size) {
    throw mismatch(expected, 'size', `${expected.size} bytes`, `${digester.size} bytes`);
  }
  if (last) yield last;
}

/**
 * The whole of a small blob, checked.
 * @throws BundleError CONTENT_MISMATCH for other bytes, or for a descriptor larger than `limit`
 * bytes.
 */
export async function readVerified(
  content: ByteStream,
  expected: Descriptor,
  limit: number = MAX_MANIFEST_BYTES,
): Promise<Uint8Array> {
  if (expected.size > limit) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `${expected.digest} has ${expected.size} bytes, over the limit of ${limit}`,
      {
        hint: 'Manifests of real images are far smaller: do not trust this content.',
      },
    );
  }
  return readAll(verified(content, expected), limit, expected.digest);
}

/** The error for bytes that do not have the digest or size of their blob. */
export function mismatch(
  blob: Descriptor,
  what: 'digest' | 'size',
  expected: string,
  got: string,
): BundleError {
  return new BundleError(
    'CONTENT_MISMATCH',
    // The digest that is expected is the name of the blob.
    `the blob ${blob.digest} has a wrong ${what}: ` +
      (what === 'digest' ? `its content has ${got}` : `expected ${expected}, got ${got}`),
    {
      expected,
      got,
      // Who gave the bytes had promised them: a store that checks what it is given says so.
      side: 'source',
      hint:
        'The content is damaged or was changed: fetch or copy it again. ' +
        'If that happens twice, use another source.',
    },
  );
}
