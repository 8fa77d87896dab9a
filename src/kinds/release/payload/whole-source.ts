import type { ByteStream } from '../../../core/bytes.ts';

/**
 * A content that is read to its end whatever becomes of its reader. The checks that a stream makes
 * at its end (verified()) are made even when what is inside cannot be parsed, so that damaged bytes
 * are told from strange ones.
 */
export class WholeSource {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #settled: Promise<void>;
  #settle: () => void = () => undefined;
  #bytes = 0;
  #ended = false;
  #failure: { readonly error: Error } | undefined;

  constructor(content: ByteStream) {
    this.#iterator = content[Symbol.asyncIterator]();
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Bytes taken from the content so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the content has ended, without an error. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Throws the error that the content ended with, if it did. */
  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /**
   * Resolves when the content has ended, well or not. Only for a source whose chunks have been
   * asked for.
   */
  async settled(): Promise<void> {
    await this.#settled;
  }

  /** The content in chunks of the reader's own, each of `size` bytes at most. Once only. */
  async *chunks(size: () => number): AsyncGenerator<Buffer> {
    try {
      for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) {
        // Streams hold chunks for longer than a ByteStream promises to leave them alone.
        const own = Buffer.from(chunk);
        for (let at = 0; at < own.length;) {
          const part = own.subarray(at, at + size());
          at += part.length;
          yield part;
        }
      }
    } finally {
      await this.#readToEnd();
      this.#settle();
    }
  }

  async #readToEnd(): Promise<void> {
    try {
      while (!this.#ended && this.#failure === undefined) await this.#next();
    } catch {
      // Kept as the failure, which whoever waits for the source looks at first.
    }
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const result = await this.#iterator.next();
      if (result.done === true) {
        this.#ended = true;
        return undefined;
      }
      this.#bytes += result.value.length;
      return result.value;
    } catch (error) {
      this.#failure = { error: error instanceof Error ? error : new Error(String(error)) };
      throw error;
    }
  }
}
