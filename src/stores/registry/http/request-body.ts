import type { ByteStream } from '../../../core/bytes.ts';

/** The chunk size that undici writes to a socket without TLS; with TLS it is 16 KiB. */
const SOCKET_BUFFER_BYTES = 64 * 1024;

/**
 * A stream on its way into a socket, which keeps chunks that it could not write at once, while the
 * producer may use a chunk's memory again as soon as it is asked for the next one. A socket whose
 * buffer is full makes us wait until all is written, so only chunks below that size need a copy.
 * Also keeps the producer's failure apart from the connection's, and tells when the other end takes
 * nothing for too long.
 */
export class RequestBody implements ByteStream {
  readonly #content: ByteStream;
  readonly #stalledMs: number;
  readonly #stalled: () => void;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param stalled is called when a chunk has not been taken after `stalledMs`; waiting for the
   * producer does not count.
   */
  constructor(content: ByteStream, stalledMs: number, stalled: () => void) {
    this.#content = content;
    this.#stalledMs = stalledMs;
    this.#stalled = stalled;
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  get failure(): unknown {
    return this.#failure?.error;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let timer: NodeJS.Timeout | undefined;
    try {
      for await (const chunk of this.#content) {
        timer = setTimeout(this.#stalled, this.#stalledMs);
        yield chunk.length < SOCKET_BUFFER_BYTES ? new Uint8Array(chunk) : chunk;
        clearTimeout(timer);
      }
    } catch (error) {
      this.#failure = { error };
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
