import { setMaxListeners } from 'node:events';
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { type ByteStream, readAll } from '../../../core/bytes.ts';
import { anySignal, type Limit, Pace } from '../../../core/concurrency.ts';
import { BundleError, isTemporary } from '../../../core/errors.ts';
import type { Notice, Observe } from '../../../core/events.ts';
import { isPassingStatus } from '../../../core/http/backoff.ts';
import { keepAuthorization, withoutSecrets } from '../../../core/http/secrets.ts';
import { isRegistry } from '../../../core/reference.ts';
import { Agents } from './agents.ts';
import { explain, type Explanation } from './explanation.ts';
import { attemptsAt, isReset, isSilence, networkError, neverAnswers, stalled } from './faults.ts';
import type { CertificateFolders } from './host-certificates.ts';
import { Patience, RetryBudget } from './patience.ts';
import { portOf, proxyRoute, type ProxySettings } from './proxy.ts';
import { RequestBody } from './request-body.ts';
import { Watch } from './watch.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/**
 * How long a registry may move a blob of that size to its storage, after the last byte of it,
 * before it answers.
 * @param answerMs how long the answer to a small request may take.
 */
export function uploadAnswerMs(bytes: number, answerMs = ANSWER_MS): number {
  return Math.min(30 * MINUTE, answerMs + (bytes / STORED_PER_SECOND) * SECOND);
}

/** Long enough for a registry with slow storage: 10 GB in half an hour. */
const STORED_PER_SECOND = 5_000_000;
const ANSWER_MS = 2 * MINUTE;
const WHOLE_MS = 2 * MINUTE;
const STALLED_MS = 90 * SECOND;
/** Answers with a status of 1xx before the real one. */
const MAX_ANNOUNCEMENTS = 100;
const BACKOFF_MS = 500;
const EXPLAINED_ATTEMPTS = 4;
/** A registry that says nothing for so long to a greeting is not there for us. */
const CONTACT_MS = 20 * SECOND;
/** Requests at a time of a client that was given no limit. */
const CONCURRENCY = 8;
/** How registries and the proxies before them say that they are asked too much at once. */
const PRESSED_STATUS = [429, 503];
/**
 * A body that is not wanted is read to its end when it is as short as this, so that the connection
 * can be used again.
 */
const DISCARDED_BYTES = 128 * 1024;
/** A new connection takes less than that. */
const DISCARD_MS = 5 * SECOND;

export interface TransportOptions {
  /** PEM certificates of every CA that is trusted: the complete set. */
  readonly ca: readonly string[];
  /** Certificates that are trusted for, or shown to, one host only. */
  readonly certificateFolders?: CertificateFolders | undefined;
  /**
   * HOST or HOST:PORT whose certificate is not verified and that may be spoken to in plain HTTP;
   * HOST stands for all its ports.
   */
  readonly insecure?: readonly string[];
  /**
   * How many requests are made at once, by each who counts: large transfers, small requests. Every
   * pace among them is told how all requests go: it falls where a server is pressed.
   */
  readonly limits?: readonly Limit[] | undefined;
  readonly proxy?: ProxySettings | undefined;
  readonly userAgent?: string | undefined;
  readonly observe?: Observe | undefined;
  /** Ends requests that were given no signal of their own. */
  readonly signal?: AbortSignal | undefined;
  /** The first backoff in milliseconds; 500 unless told. */
  readonly backoffMs?: number | undefined;
  /** How often a request is tried, where its caller does not say; ten times unless told. */
  readonly attempts?: number | undefined;
  /** How long the answer to a small request may take, in milliseconds; two minutes unless told. */
  readonly answerMs?: number | undefined;
  /** How long the body of a small answer may take to its end; two minutes unless told. */
  readonly wholeMs?: number | undefined;
  /** How long the answer to the greeting of a registry may take; 20 s unless told. */
  readonly contactMs?: number | undefined;
  /** After how long without a sign of the other end that is reported; 15 s unless told. */
  readonly watchMs?: number | undefined;
  /** How long a transfer under way may move no byte, in milliseconds; 90 s unless told. */
  readonly stalledMs?: number | undefined;
}

/** A registry as the configuration knows it. */
export interface Peer {
  /** As people write it: `quay.io`, `localhost:5000`. */
  readonly name: string;
  /**
   * Whether it is trusted without a certificate, beside those that {@link TransportOptions} name.
   */
  readonly insecure: boolean;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  /**
   * The registry for whose sake the request is sent, though its URL may be of a token server or
   * storage.
   */
  readonly registry?: Peer | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream needs a Content-Length header, and can be sent once only. */
  readonly body?: Uint8Array | ByteStream | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long the answer's head may take after the last byte was sent, in milliseconds. */
  readonly answerWithin?: number;
}

/** An answer whose body has to be read, or given to {@link discard}. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Dispatcher.ResponseData['body'];
  readonly url: URL;
  /** It was asked for as often as that is worth it: nobody has to ask once more. */
  readonly isLast?: true;
  /** What the body said, where it was read already. */
  readonly explanation?: Explanation;
}

/**
 * Sends requests over HTTP/1.1: TLS, time limits, retries, pace. Follows no redirect and adds no
 * credentials.
 */
export class Transport {
  readonly #options: TransportOptions;
  readonly #agents: Agents;
  readonly #paces: readonly Pace[];
  readonly #budget = new RetryBudget();

  /** @throws BundleError CONFIGURATION for an insecure host that is none. */
  constructor(options: TransportOptions) {
    for (const entry of options.insecure ?? []) if (!isRegistry(entry)) throw notAHost(entry);
    this.#options = options;
    const { limits = [], stalledMs = STALLED_MS } = options;
    this.#paces = limits.filter((limit) => limit instanceof Pace);
    const numbers = limits.map((limit) => (limit instanceof Pace ? limit.most : limit));
    const concurrency = numbers.length === 0 ? CONCURRENCY : Math.max(...numbers);
    this.#agents = new Agents({ ...options, concurrency, stalledMs });
  }

  /**
   * Whether the host was named as one that is trusted without a certificate, for all or for this
   * registry's sake.
   */
  isInsecure(url: URL, registry?: Peer): boolean {
    const named = registry?.insecure === true ? [registry.name] : [];
    return [...named, ...(this.#options.insecure ?? [])].some((entry) => {
      const allowed = new URL(`${url.protocol}//${entry}`);
      return (
        allowed.hostname === url.hostname &&
        (/:[0-9]+$/.test(entry) ? portOf(allowed) === portOf(url) : true)
      );
    });
  }

  /** How long the answer to a greeting may take, in milliseconds. */
  get contactMs(): number {
    return this.#options.contactMs ?? CONTACT_MS;
  }

  /** How long the answer to a small request may take; `undefined` where nobody has said. */
  get answerMs(): number | undefined {
    return this.#options.answerMs;
  }

  /** How long the body of a small answer may take, in milliseconds. */
  get wholeMs(): number {
    return this.#options.wholeMs ?? WHOLE_MS;
  }

  /** Reports when nothing moves for long; to be ended. */
  watch(what: string): Watch {
    const { observe, watchMs } = this.#options;
    return new Watch({ observe, what, everyMs: watchMs });
  }

  /**
   * One attempt. @throws BundleError NETWORK; what the body's stream throws; the reason of an
   * abort.
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { url, method, headers, body, registry } = request;
    if (headers?.['authorization'] !== undefined) keepAuthorization(headers['authorization']);
    const stall = new AbortController();
    const signal = anySignal(this.#listened(request.signal), stall.signal);
    const stalledMs = this.#options.stalledMs ?? STALLED_MS;
    const source =
      body === undefined || body instanceof Uint8Array
        ? undefined
        : new RequestBody(body, stalledMs, {
            moved: () => {
              watch.moved();
            },
            stalled: () => {
              stall.abort(stalled(url, stalledMs));
            },
          });
    const watch = this.watch(`${method} ${withoutQuery(url)}`);
    const begun = performance.now();
    let announcements = 0;
    try {
      const dispatcher = await this.#agents.dispatcher({
        url,
        registry: registry?.name,
        verified: !this.isInsecure(url, registry),
      });
      const response = await dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: { 'user-agent': this.#options.userAgent ?? 'bundle', ...headers },
        body:
          body === undefined ? null : source === undefined ? (body as Uint8Array) : asBody(source),
        headersTimeout: request.answerWithin ?? this.#options.answerMs ?? ANSWER_MS,
        // Each of them begins that time anew.
        onInfo: () => {
          announcements += 1;
          if (announcements > MAX_ANNOUNCEMENTS) stall.abort(neverAnswers(url));
        },
        signal,
      });
      this.#went(
        PRESSED_STATUS.includes(response.statusCode)
          ? 'pressed'
          : isPassingStatus(response.statusCode)
            ? 'badly'
            : 'well',
        begun,
      );
      return { status: response.statusCode, headers: response.headers, body: response.body, url };
    } catch (error) {
      if (source?.failed) throw source.failure;
      const { proxy } = this.#options;
      const failure = networkError(error, url, proxy && proxyRoute(url, proxy));
      this.#went(isReset(failure) ? 'pressed' : 'badly', begun);
      throw failure;
    } finally {
      watch.end();
    }
  }

  /**
   * Sends a request that can be repeated, again where the connection breaks or the answer is one
   * that may pass (408, 425, 429, 500, 502, 503, 504), after the time the server asks for or a
   * growing random one. The last answer is returned whatever it is. Neither it nor an error is
   * `temporary`: whoever is not content with that must not begin all these attempts again.
   * @param atSilence attempts in all where nothing comes from the other end.
   */
  async sendRepeatedly(
    request: HttpRequest,
    attempts?: number,
    atSilence?: number,
  ): Promise<HttpResponse> {
    const patience = this.patience(attempts);
    const setback = {
      what: `${request.method} ${withoutQuery(request.url)}`,
      signal: request.signal,
    };
    for (;;) {
      try {
        const response = await this.send(request);
        if (!isPassingStatus(response.status)) return response;
        const explanation = await explain(response);
        const last = { ...response, explanation, isLast: true } as const;
        if (explanation.lasting !== undefined) return last;
        const { text, isPage, waitMs: askedMs } = explanation;
        const said = text === '' || isPage ? '' : `, ${text}`;
        const cause = `status ${response.status}${said}`;
        // A registry that says what is wrong with a manifest means the manifest. A PUT without a
        // body ends the upload of a blob.
        const isManifest = request.method === 'PUT' && request.body !== undefined;
        const most = isManifest && said !== '' ? EXPLAINED_ATTEMPTS : undefined;
        if (!(await patience.again({ ...setback, cause, askedMs, most }))) return last;
      } catch (error) {
        if (!isTemporary(error)) throw error;
        const most = (isSilence(error) ? atSilence : undefined) ?? attemptsAt(error);
        const failed = { ...setback, cause: error.message, most };
        if (!(await patience.again(failed))) throw error.lasting();
      }
    }
  }

  /** For something that may have to be tried several times. */
  patience(attempts?: number): Patience {
    const { backoffMs = BACKOFF_MS, observe, signal } = this.#options;
    const most = attempts ?? this.#options.attempts;
    return new Patience({ budget: this.#budget, backoffMs, observe, signal, attempts: most });
  }

  /**
   * Callers report here, too, that a transfer broke after the answer had begun. @param begun when
   * it began, on the clock of `performance.now()`.
   */
  broke(error: unknown, begun: number): void {
    this.#went(isReset(error) ? 'pressed' : 'badly', begun);
  }

  /** What a run is at that takes long. */
  tellPhase(what: string): void {
    this.#options.observe?.({ type: 'phase', what });
  }

  /** Something that the user has to see. */
  notice(notice: Notice): void {
    this.#options.observe?.({ type: 'noticed', ...notice });
  }

  #went(how: 'well' | 'badly' | 'pressed', begun: number): void {
    if (how === 'well') this.#budget.earn();
    for (const pace of this.#paces) {
      if (how === 'well') pace.rise();
      if (how === 'pressed') pace.fall(begun);
    }
  }

  /** One signal ends many requests: Node would take that for a leak. */
  #listened(signal: AbortSignal | undefined): AbortSignal | undefined {
    const active = signal ?? this.#options.signal;
    if (active) setMaxListeners(0, active);
    return active;
  }

  /** Closes all connections, also those in use. */
  async close(): Promise<void> {
    await this.#agents.close();
  }
}

/**
 * undici takes any async iterable; its types know of streams alone. A stream would read ahead, into
 * memory that is used again.
 */
function asBody(content: RequestBody): Readable {
  return content as unknown as Readable;
}

export function headerOf(response: HttpResponse, name: string): string | undefined {
  const value = response.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

/** Gets rid of a body that nobody reads; the connection is closed where that is cheaper. */
export async function discard(response: HttpResponse): Promise<void> {
  try {
    await response.body.dump({ limit: DISCARDED_BYTES, signal: AbortSignal.timeout(DISCARD_MS) });
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
export async function readBody(
  response: HttpResponse,
  limit: number,
  what: string,
): Promise<Uint8Array> {
  try {
    return await readAll(response.body as ByteStream, limit, what);
  } catch (error) {
    throw networkError(error, response.url);
  }
}

/** A URL for messages: what comes after `?` may be a secret, and servers name most of them. */
export function withoutQuery(url: URL): string {
  return withoutSecrets(`${url.origin}${url.pathname}`);
}

function notAHost(entry: string): BundleError {
  return new BundleError('CONFIGURATION', `not a registry: ${entry}`, {
    hint: 'Write --insecure-registry HOST or HOST:PORT, without a path.',
  });
}
