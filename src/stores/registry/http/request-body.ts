import type { ByteStream } from '../../../core/bytes.ts';

/** The chunk size that undici writes to a socket without TLS; with TLS it is 16 KiB. */
const SOCKET_BUFFER_BYTES = 64 * 1024;

/** Is told how a stream goes. */
export interface Watcher {
  /** A chunk was taken, or there is one to take. */
  readonly moved: () => void;
  /** A chunk was not taken for too long; waiting for the producer does not count. */
  readonly stalled: () => void;
}

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
  readonly #watcher: Watcher;
  #failure: { readonly error: unknown } | undefined;

  /** @param stalledMs after how long a chunk should have been taken. */
  constructor(content: ByteStream, stalledMs: number, watcher: Watcher) {
    this.#content = content;
    this.#stalledMs = stalledMs;
    this.#watcher = watcher;
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
        this.#watcher.moved();
        timer = setTimeout(this.#watcher.stalled, this.#stalledMs);
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
