import type { Readable } from 'node:stream';

import type { BundleError } from '../../core/errors.ts';
import { diskError } from '../../files/disk-error.ts';
import { unusable } from '../format/unusable.ts';
import type { ByteSource } from './file.ts';

/**
 * The bytes of a pipe: they come once, and what lies before the last offset that was asked for is
 * let go.
 */
export class PipeSource implements ByteSource {
  readonly path: string;
  readonly size = Number.POSITIVE_INFINITY;
  readonly #input: Readable;
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunks: Uint8Array[] = [];
  /** Where the first chunk begins, and where the last one ends. */
  #start = 0;
  #end = 0;
  #isOver = false;

  /** @param name for messages. */
  constructor(input: Readable, name: string) {
    this.path = name;
    this.#input = input;
    this.#iterator = (input as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  }

  /** Bytes that have come so far. */
  get received(): number {
    return this.#end;
  }

  async fill(buffer: Uint8Array, offset: number): Promise<void> {
    if ((await this.available(offset, buffer.length)) < buffer.length) throw this.#endedEarly();
    let at = this.#start;
    let filled = 0;
    for (const chunk of this.#chunks) {
      const part = chunk.subarray(Math.max(offset + filled - at, 0), offset + buffer.length - at);
      buffer.set(part, filled);
      filled += part.length;
      at += chunk.length;
      if (filled === buffer.length) return;
    }
  }

  async available(offset: number, length: number): Promise<number> {
    if (offset < this.#start)
      throw new RangeError(`byte ${offset} of a pipe has gone by: it is at ${this.#start}`);
    this.#forgetBefore(offset);
    while (this.#end < offset + length && !this.#isOver) {
      await this.#pull();
      this.#forgetBefore(offset);
    }
    return Math.max(Math.min(this.#end - offset, length), 0);
  }

  #endedEarly(): BundleError {
    return unusable(`${this.path} ends at byte ${this.#end}, before the bundle does`, {
      hint:
        'Send the bundle again from its beginning. Why the stream ended may be told by the ' +
        'program that sends it; or the file that it reads is cut off itself.',
    });
  }

  /** Lets go of the pipe, wherever it is. */
  async close(): Promise<void> {
    this.#isOver = true;
    this.#chunks = [];
    this.#input.destroy();
  }

  async #pull(): Promise<void> {
    try {
      const next = await this.#iterator.next();
      if (next.done === true) {
        this.#isOver = true;
        return;
      }
      this.#chunks.push(next.value);
      this.#end += next.value.length;
    } catch (error) {
      throw diskError('read', `${this.path} at byte ${this.#end}`, error);
    }
  }

  #forgetBefore(offset: number): void {
    for (
      let first = this.#chunks[0];
      first && this.#start + first.length <= offset;
      first = this.#chunks[0]
    ) {
      this.#chunks.shift();
      this.#start += first.length;
    }
  }
}
