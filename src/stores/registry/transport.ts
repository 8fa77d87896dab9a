import { setMaxListeners } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, request as undiciRequest } from 'undici';
import { type ByteStream, readAll } from '../../core/bytes.ts';
import { BundleError, isTemporary } from '../../core/errors.ts';
import type { Observe } from '../../core/events.ts';
import { isRegistry } from '../../core/reference.ts';
import { type Agents, makeAgents } from './agents.ts';
import { backoff, isPassingStatus, retryAfter } from './backoff.ts';
import { networkError } from './faults.ts';
import type { ProxySettings } from './proxy.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** A registry may move a whole layer to its storage before it answers the upload of it. */
export const UPLOAD_ANSWER_MS = 30 * MINUTE;
const ANSWER_MS = 2 * MINUTE;
const ATTEMPTS = 5;
/** A body that is not wanted is read to its end when it is as short as this, so that the connection can be used again. */
const DISCARDED_BYTES = 128 * 1024;

export interface TransportOptions {
  /** PEM certificates of every CA that is trusted: the complete set. */
  readonly ca: readonly string[];
  /** HOST or HOST:PORT whose certificate is not verified and that may be spoken to in plain HTTP; HOST stands for all its ports. */
  readonly insecure?: readonly string[];
  /** How many transfers are made at once; a positive integer. */
  readonly concurrency?: number | undefined;
  readonly proxy?: ProxySettings | undefined;
  readonly userAgent?: string | undefined;
  readonly observe?: Observe | undefined;
  /** Ends requests that were given no signal of their own. */
  readonly signal?: AbortSignal | undefined;
  /** The first backoff in milliseconds; 500 unless told. */
  readonly backoffMs?: number | undefined;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream needs a Content-Length header, and can be sent once only. */
  readonly body?: Uint8Array | ByteStream | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long the answer's head may take, in milliseconds. */
  readonly answerWithin?: number;
}

/** An answer whose body has to be read, or given to {@link discard}. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Dispatcher.ResponseData['body'];
  readonly url: URL;
}

/** Sends requests over HTTP/1.1: TLS, time limits, retries. Follows no redirect and adds no credentials. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #agents: Agents;

  /** @throws BundleError CONFIGURATION for an insecure host that is none. */
  constructor(options: TransportOptions) {
    for (const entry of options.insecure ?? []) if (!isRegistry(entry)) throw notAHost(entry);
    this.#options = options;
    this.#agents = makeAgents({ ca: options.ca, concurrency: options.concurrency ?? 8, proxy: options.proxy });
  }

  /** Whether the host was named as one that is trusted without a certificate. */
  isInsecure(url: URL): boolean {
    return (this.#options.insecure ?? []).some((entry) => {
      const allowed = new URL(`${url.protocol}//${entry}`);
      return allowed.hostname === url.hostname && (/:[0-9]+$/.test(entry) ? portOf(allowed) === portOf(url) : true);
    });
  }

  /** One attempt. @throws BundleError NETWORK; what the body's stream throws; the reason of an abort. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { url, method, headers, body } = request;
    const signal = this.#listened(request.signal);
    const source = body === undefined || body instanceof Uint8Array ? undefined : new Upload(body);
    try {
      const response = await undiciRequest(url, {
        method,
        headers: { 'user-agent': this.#options.userAgent ?? 'bundle', ...headers },
        body: body === undefined ? null : source === undefined ? (body as Uint8Array) : asBody(source),
        headersTimeout: request.answerWithin ?? ANSWER_MS,
        signal: signal ?? null,
        dispatcher: this.isInsecure(url) ? this.#agents.trusting : this.#agents.verifying,
      });
      return { status: response.statusCode, headers: response.headers, body: response.body, url };
    } catch (error) {
      if (source?.failed) throw source.failure;
      throw networkError(error, url);
    }
  }

  /**
   * Sends a request that can be repeated, again where the connection breaks or the answer is one that may pass
   * (408, 425, 429, 500, 502, 503, 504), after the time the server asks for or a growing random one.
   * The last answer is returned whatever it is.
   */
  async sendRepeatedly(request: HttpRequest, attempts = ATTEMPTS): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      let cause: string;
      let delayMs = backoff(attempt, this.#options.backoffMs ?? 500);
      try {
        const response = await this.send(request);
        if (!isPassingStatus(response.status) || attempt >= attempts) return response;
        cause = `status ${response.status}`;
        delayMs = retryAfter(headerOf(response, 'retry-after')) ?? delayMs;
        await discard(response);
      } catch (error) {
        if (!isTemporary(error) || attempt >= attempts) throw error;
        cause = error.message;
      }
      await this.pause(`${request.method} ${withoutQuery(request.url)}`, cause, attempt, delayMs, request.signal);
    }
  }

  /** Tells of a retry and waits for it. */
  async pause(what: string, cause: string, attempt: number, delayMs: number, signal?: AbortSignal): Promise<void> {
    this.#options.observe?.({ type: 'retried', what, cause, attempt, delayMs });
    const active = this.#listened(signal);
    await sleep(delayMs, undefined, active && { signal: active });
  }

  /** The pause before the next attempt, where no server says how long. */
  backoff(attempt: number): number {
    return backoff(attempt, this.#options.backoffMs ?? 500);
  }

  /** One signal ends many requests: Node would take that for a leak. */
  #listened(signal: AbortSignal | undefined): AbortSignal | undefined {
    const active = signal ?? this.#options.signal;
    if (active) setMaxListeners(0, active);
    return active;
  }

  /** Closes all connections, also those in use. */
  async close(): Promise<void> {
    await Promise.all([this.#agents.verifying.destroy(), this.#agents.trusting.destroy()]);
  }
}

/**
 * A stream on its way into a socket, which keeps chunks that it could not write at once, while the producer may use
 * a chunk's memory again as soon as it is asked for the next one. A socket whose buffer is full makes us wait until all is
 * written, so only chunks below that size need a copy. Also keeps the producer's failure apart from the connection's.
 */
class Upload implements ByteStream {
  readonly #content: ByteStream;
  #failure: { readonly error: unknown } | undefined;

  constructor(content: ByteStream) {
    this.#content = content;
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  get failure(): unknown {
    return this.#failure?.error;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of this.#content) yield chunk.length < SOCKET_BUFFER_BYTES ? new Uint8Array(chunk) : chunk;
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}

/** undici takes any async iterable; its types know of streams alone. A stream would read ahead, into memory that is used again. */
function asBody(content: ByteStream): Readable {
  return content as unknown as Readable;
}

/** What undici gives a socket without TLS; with TLS it is 16 KiB. */
const SOCKET_BUFFER_BYTES = 64 * 1024;

export function headerOf(response: HttpResponse, name: string): string | undefined {
  const value = response.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

/** Gets rid of a body that nobody reads; the connection is closed where that is cheaper. */
export async function discard(response: HttpResponse): Promise<void> {
  try {
    await response.body.dump({ limit: DISCARDED_BYTES });
  } catch {
    abandon(response);
  }
}

/** Lets go of a body wherever it is, and of the connection unless the body was at its end. */
export function abandon(response: HttpResponse): void {
  response.body.on('error', () => undefined); // tells only that it was abandoned
  response.body.destroy();
}

/** A whole body in memory. @throws BundleError CONTENT_MISMATCH above `limit` bytes; NETWORK. */
export async function readBody(response: HttpResponse, limit: number, what: string): Promise<Uint8Array> {
  try {
    return await readAll(response.body as ByteStream, limit, what);
  } catch (error) {
    throw networkError(error, response.url);
  }
}

/** A URL for messages: what comes after `?` may be a secret. */
export function withoutQuery(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function notAHost(entry: string): BundleError {
  return new BundleError('CONFIGURATION', `not a registry: ${entry}`, {
    hint: 'Write --insecure-registry HOST or HOST:PORT, without a path.',
  });
}

function portOf(url: URL): string {
  return url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
}
