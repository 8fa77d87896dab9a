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
        hint: 'Nothing of this kind is that large; the content is not what it claims to be.',
      });
    }
    chunks.push(Uint8Array.from(chunk));
  }
  return Buffer.concat(chunks, size);
}

/** A stream of bytes that are in memory already. */
export async function* streamOf(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk;
}

/** Runs a stream to its end for its checks alone. */
export async function drain(content: ByteStream, observe?: (bytes: number) => void): Promise<void> {
  for await (const chunk of content) observe?.(chunk.length);
}

export function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
