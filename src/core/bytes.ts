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

/** A long text that becomes bytes while it is made, so that it is in memory once. */
export class TextPieces {
  readonly #pieces: Uint8Array[] = [];
  #text = '';

  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= PIECE) this.#flush();
  }

  /** All of it, in UTF-8. */
  bytes(): Uint8Array {
    this.#flush();
    return Buffer.concat(this.#pieces);
  }

  #flush(): void {
    this.#pieces.push(Buffer.from(this.#text));
    this.#text = '';
  }
}

export function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
