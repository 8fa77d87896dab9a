import { BundleError } from './errors.ts';

/** Content as it moves: chunks of any size, each valid only until the next one is asked for. */
export type ByteStream = AsyncIterable<Uint8Array>;

/**
 * Reads a whole stream into memory, up to a named ceiling (limits.ts).
 * @throws BundleError CONTENT_MISMATCH when there is more than `limit` bytes.
 */
export async function readAll(
  content: ByteStream,
  limit: number,
  what: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    size += chunk.length;
    if (size > limit) {
      throw new BundleError('CONTENT_MISMATCH', `${what} is larger than ${limit} bytes`, {
        hint: 'No genuine file of this kind is that large: do not trust this content.',
      });
    }
    chunks.push(Uint8Array.from(chunk));
  }
  // Not Buffer.concat: it puts small results into a pool, whose other tenants would keep them all.
  const whole = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** A stream of bytes that are in memory already. */
export async function* streamOf(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk;
}

/** Runs a stream to its end for its checks alone. */
export async function drain(content: ByteStream, observe?: (bytes: number) => void): Promise<void> {
  for await (const chunk of content) observe?.(chunk.length);
}

/** Characters that are gathered before they become bytes. */
const PIECE = 256 * 1024;
/** Bytes of address space for a text at first; memory is taken when it is filled. */
const TEXT_ROOM = 64 * 1024 * 1024;

/** A long text that becomes bytes while it is made, so that it is in memory once. */
export class TextPieces {
  // It grows where it is: pieces beside the whole would double the memory that a long list takes.
  #memory = new ArrayBuffer(0, { maxByteLength: TEXT_ROOM });
  #length = 0;
  #text = '';

  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= PIECE) this.#flush();
  }

  /** All of it, in UTF-8. */
  bytes(): Uint8Array {
    this.#flush();
    return new Uint8Array(this.#memory, 0, this.#length);
  }

  #flush(): void {
    const bytes = Buffer.from(this.#text);
    this.#text = '';
    const end = this.#length + bytes.length;
    if (end > this.#memory.maxByteLength) this.#move(2 * end);
    this.#memory.resize(end);
    new Uint8Array(this.#memory).set(bytes, this.#length);
    this.#length = end;
  }

  #move(room: number): void {
    const text = new Uint8Array(this.#memory);
    this.#memory = new ArrayBuffer(text.length, { maxByteLength: room });
    new Uint8Array(this.#memory).set(text);
  }
}

export function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
