import type { ByteStream } from '../../../core/bytes.ts';

/** A stream that is taken in portions, each of so many bytes. */
export class Portions {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(content: ByteStream) {
    this.#chunks = content[Symbol.asyncIterator]();
  }

  /** Whether it was the content that broke, and this is how. */
  brokeWith(error: unknown): boolean {
    return this.#failure?.error === error;
  }

  /** The next `bytes` bytes; fewer where the content ends. */
  async *next(bytes: number): AsyncGenerator<Uint8Array> {
    let left = bytes;
    do {
      const chunk = this.#rest ?? (await this.#pull());
      this.#rest = undefined;
      if (chunk === undefined) return;
      if (chunk.length > left) this.#rest = chunk.subarray(left);
      const portion = chunk.subarray(0, left);
      left -= portion.length;
      yield portion;
    } while (left > 0);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #pull(): Promise<Uint8Array | undefined> {
    try {
      const result = await this.#chunks.next();
      return result.done === true ? undefined : result.value;
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}
