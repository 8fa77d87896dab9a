import type { ByteStream } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, Digester } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { FetchOptions } from '../core/store.ts';
import { BufferRing, type Lent } from './ring.ts';
import { onSide } from './sides.ts';
import { mismatch } from './verified.ts';

/** Bytes that are kept of what has come. A blob that fits stays whole until it is settled. */
const WINDOW = 56 * 1024 * 1024;
/** Of a larger one, this much of what was given out can be asked for again. */
const KEPT = 32 * 1024 * 1024;
const PART = 2 * 1024 * 1024;

interface Part {
  readonly lent: Lent;
  readonly start: number;
  filled: number;
}

interface Passing {
  readonly descriptor: Descriptor;
  /** The bytes that are kept of it, without gaps. */
  parts: Part[];
  /** Bytes that have come. */
  received: number;
  /** Up to where it has been given out. */
  taken: number;
  isWanted: boolean;
  /** Hashes what goes by, or is let go, before anybody has asked for it. */
  unread: Digester | undefined;
  /** What that came to, when all of it had passed. */
  got: Digest | undefined;
  /** Nobody needs it any more. */
  isSettled: boolean;
}

/**
 * Blobs that come once, one after the other, as out of a pipe. What comes is kept in a window: a
 * blob that fits stays there until it is settled, and can be read any number of times; of a larger
 * one the last part can be read again. Nothing that is given out has been checked: the reader
 * hashes it. What is let go unread is hashed here, so that every byte is hashed, and once.
 */
export class OnePass {
  readonly #blobs: readonly Passing[];
  readonly #byDigest: ReadonlyMap<Digest, Passing>;
  readonly #read: (descriptor: Descriptor) => ByteStream;
  readonly #end: () => Promise<void>;
  readonly #ring: BufferRing;
  readonly #waiting = new Set<() => void>();
  #running: Promise<void> | undefined;
  #failure: unknown;
  /**
   * Whoever reads now will settle what they read. Until then what comes waits for them, or makes
   * room where they wait for it.
   */
  #isSettling = false;
  /** Readers that wait for bytes that have not come. */
  #readersWaiting = 0;
  /** Wakes whoever waits for room. */
  #lookAgain: (() => void) | undefined;

  /**
   * @param blobs in the order in which they come.
   * @param read gives the content of the next one; called once for each.
   * @param end checks what comes after the last one.
   */
  constructor(
    blobs: readonly Descriptor[],
    read: (descriptor: Descriptor) => ByteStream,
    end: () => Promise<void>,
  ) {
    const total = blobs.reduce((sum, { size }) => sum + size, 0);
    this.#ring = new BufferRing(WINDOW, PART, total);
    this.#blobs = blobs.map((descriptor) => ({
      descriptor,
      parts: [],
      received: 0,
      taken: 0,
      isWanted: false,
      unread: undefined,
      got: undefined,
      isSettled: false,
    }));
    this.#byDigest = new Map(this.#blobs.map((blob) => [blob.descriptor.digest, blob]));
    this.#read = read;
    this.#end = end;
  }

  /** The failure that ended the stream early. */
  get failure(): unknown {
    return this.#failure;
  }

  /** The digests of its blobs, in the order in which they come. */
  get digests(): Iterable<Digest> {
    return this.#byDigest.keys();
  }

  /** Whether a blob is kept whole until it is settled. */
  keepsWhole({ size }: Descriptor): boolean {
    return size <= WINDOW;
  }

  /**
   * The content of a blob, as soon as it comes.
   * @throws BundleError NOT_REPLAYABLE for bytes that have gone by; whatever reading throws.
   */
  async *fetch(
    { digest }: Descriptor,
    { range, signal }: FetchOptions = {},
  ): AsyncGenerator<Uint8Array> {
    const blob = this.#byDigest.get(digest)!;
    const { size } = blob.descriptor;
    const end = Math.min(range?.end ?? size, size);
    let at = range?.start ?? 0;
    blob.isWanted = true;
    this.#start();
    this.#notify();
    while (at < end) {
      signal?.throwIfAborted();
      const part = blob.parts.find(({ start, filled }) => at >= start && at < start + filled);
      if (part !== undefined) {
        const bytes = part.lent.bytes.subarray(
          at - part.start,
          Math.min(part.filled, end - part.start),
        );
        yield bytes;
        at += bytes.length;
        this.#advance(blob, at);
      } else if (blob.isSettled || at < blob.received) throw passed(blob.descriptor);
      else if (this.#failure !== undefined) throw this.#failure as Error;
      else {
        this.#readersWaiting += 1;
        this.#lookAgain?.();
        await this.#change(signal);
        this.#readersWaiting -= 1;
      }
    }
  }

  /**
   * From here on whoever reads a blob settles it. Blobs that nobody will read are settled at once,
   * else they would fill the window for good.
   */
  beginSettling(isNeeded: (digest: Digest) => boolean = () => true): void {
    this.#isSettling = true;
    for (const digest of this.digests) if (!isNeeded(digest)) this.settle(digest);
    this.#start();
    this.#notify();
  }

  /** Nobody will ask for a blob again: what is kept of it, and what is still to come, can go. */
  settle(digest: Digest): void {
    const blob = this.#byDigest.get(digest);
    if (blob === undefined) return;
    blob.isSettled = true;
    this.#release(blob);
    this.#notify();
  }

  /**
   * Lets everything come that has not been settled, hashes what nobody has read, and checks the
   * end. @throws BundleError CONTENT_MISMATCH; whatever reading throws.
   */
  async finish(): Promise<void> {
    for (const { descriptor } of this.#blobs) this.settle(descriptor.digest);
    this.#start();
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure as Error;
    // Only now: what came behind such a blob has been used by then.
    for (const { descriptor, got } of this.#blobs)
      if (got !== undefined && got !== descriptor.digest)
        throw mismatch(descriptor, 'digest', descriptor.digest, got);
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    try {
      for (const blob of this.#blobs) {
        // A large one goes by while it is read: whether it is needed has to be known.
        while (blob.descriptor.size > WINDOW && !blob.isWanted && !blob.isSettled)
          await this.#change(undefined);
        for await (const chunk of this.#read(blob.descriptor)) {
          if (blob.received + chunk.length > blob.descriptor.size)
            throw wrongSize(blob, `more than ${blob.descriptor.size} bytes`);
          await this.#keep(blob, chunk);
        }
        if (blob.received < blob.descriptor.size) throw wrongSize(blob);
        if (isLetGo(blob)) blob.unread ??= new Digester();
        closeDigest(blob);
      }
      await this.#end();
    } catch (error) {
      this.#failure = onSide(error, 'source');
    }
    this.#notify();
  }

  async #keep(blob: Passing, chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      let part = blob.parts.at(-1);
      if (!blob.isSettled && (part === undefined || part.filled === part.lent.bytes.length)) {
        part = await this.#room(blob, Math.min(PART, blob.descriptor.size - blob.received));
      }
      // A call, since the compiler takes what was false before an `await` to be false after it.
      const bytes =
        isSettled(blob) || part === undefined
          ? chunk.subarray(at)
          : chunk.subarray(at, at + part.lent.bytes.length - part.filled);
      if (!isSettled(blob) && part !== undefined) {
        part.lent.bytes.set(bytes, part.filled);
        part.filled += bytes.length;
      }
      if (isLetGo(blob)) blob.unread ??= new Digester();
      blob.unread?.update(bytes);
      blob.received += bytes.length;
      at += bytes.length;
      this.#notify();
    }
  }

  /** A part to be filled; `undefined` where nobody needs it any more. */
  async #room(blob: Passing, length: number): Promise<Part | undefined> {
    while (!isSettled(blob) && !this.#isSettling && this.#isFullWith(length)) {
      if (this.#readersWaiting > 0)
        for (const other of this.#blobs) if (other !== blob) this.#release(other);
      if (this.#isFullWith(length))
        await new Promise<void>((resolve) => (this.#lookAgain = resolve));
    }
    const lent = await this.#ring.borrow(length);
    if (blob.isSettled) {
      this.#ring.giveBack(lent);
      return undefined;
    }
    const part = { lent, start: blob.received, filled: 0 };
    blob.parts.push(part);
    return part;
  }

  /**
   * Whether the window would overflow. Nobody settles yet, so that nothing would make room by
   * itself.
   */
  #isFullWith(length: number): boolean {
    const kept = this.#blobs.reduce(
      (total, { parts }) => total + parts.reduce((sum, part) => sum + part.lent.bytes.length, 0),
      0,
    );
    return kept + length > WINDOW - PART;
  }

  #advance(blob: Passing, taken: number): void {
    blob.taken = Math.max(blob.taken, taken);
    if (blob.descriptor.size <= WINDOW) return;
    for (
      let [first] = blob.parts;
      first && first.start + first.lent.bytes.length <= blob.taken - KEPT;
      [first] = blob.parts
    ) {
      blob.parts.shift();
      this.#ring.giveBack(first.lent);
    }
    if (!this.#isSettling && taken === blob.descriptor.size) this.#release(blob);
  }

  #release(blob: Passing): void {
    if (!blob.isWanted && blob.unread === undefined && blob.parts.length > 0) {
      blob.unread = new Digester();
      for (const { lent, filled } of blob.parts) blob.unread.update(lent.bytes.subarray(0, filled));
      closeDigest(blob);
    }
    for (const { lent } of blob.parts) this.#ring.giveBack(lent);
    blob.parts = [];
  }

  async #change(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake);
    });
  }

  #notify(): void {
    this.#lookAgain?.();
    for (const wake of [...this.#waiting]) wake();
  }
}

function isSettled({ isSettled: settled }: Passing): boolean {
  return settled;
}

/** Whether nobody has asked for it, and nobody will. */
function isLetGo({ isSettled: settled, isWanted }: Passing): boolean {
  return settled && !isWanted;
}

/** The digest of what went by unread, once that is all of it. */
function closeDigest(blob: Passing): void {
  if (blob.received === blob.descriptor.size) blob.got ??= blob.unread?.digest();
}

/** Another length than promised: a reader would wait for ever, or be given another's bytes. */
function wrongSize({ descriptor, received }: Passing, got = `${received} bytes`): BundleError {
  return mismatch(descriptor, 'size', `${descriptor.size} bytes`, got);
}

function passed({ digest }: Descriptor): BundleError {
  return new BundleError(
    'NOT_REPLAYABLE',
    `upload of ${digest} failed, and the input stream cannot be rewound`,
    {
      side: 'source',
      hint: 'Send the stream again: content that has arrived is not pushed to the target again.',
    },
  );
}

/** The failure that ended a pipe, and how far the copy got. */
export function cutOff(error: BundleError, whole: number, all: number): BundleError {
  const there =
    whole === all
      ? `the content of all ${all} images is at the target, but the last tags are not set`
      : `${whole} of ${all} images ${whole === 1 ? 'is' : 'are'} at the target`;
  return new BundleError(error.code, `${error.message}; ${there}`, {
    expected: error.expected,
    got: error.got,
    side: error.side,
    cause: error,
    hint:
      'Nothing that is incomplete has got a tag. Send the stream again: content that is at the ' +
      'target is not pushed there again.',
  });
}
