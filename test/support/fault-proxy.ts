import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream/promises';
import { RateLimit } from '../../src/transfer/rate.ts';
import { serve } from './served.ts';

const NEVER = new AbortController().signal;

/** What goes wrong with one request. */
export type Fault =
  /** An answer of the proxy's own; the registry does not see the request. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The connection is reset; the registry does not see the request. */
  | { readonly kind: 'reset' }
  /** The registry sees the request; the connection is reset instead of the answer. */
  | { readonly kind: 'reset-answer' }
  /** The connection is reset after so many bytes of the answer's body. */
  | { readonly kind: 'cut'; readonly after: number }
  /**
   * The connection is reset within a body, after that share of it: the request's, where it has one,
   * else the answer's.
   */
  | { readonly kind: 'break'; readonly share: number }
  /** The answer's body ends after so many bytes, as if there were no more: its head says so too. */
  | { readonly kind: 'short'; readonly bytes: number }
  /** Nothing comes any more after so many bytes of the answer's body; the connection stays open. */
  | { readonly kind: 'stall'; readonly after: number }
  /**
   * Nothing is read any more after so many bytes of the request's body; the connection stays open.
   */
  | { readonly kind: 'stall-request'; readonly after: number }
  /**
   * The connection is reset after so many bytes of the request's body; the registry sees none of
   * them.
   */
  | { readonly kind: 'cut-request'; readonly after: number }
  /**
   * The connection is reset after so many bytes of the request's body, and the registry keeps
   * those: the session goes on from there under the address it had, as with registries whose
   * addresses hold no state.
   */
  | { readonly kind: 'keep-request'; readonly bytes: number }
  /** One byte of the answer's body is another one. */
  | { readonly kind: 'flip'; readonly at: number }
  /** The answer comes without the Range that was asked for: 200 and all bytes. */
  | { readonly kind: 'no-range' }
  /** 307 to the same path at another origin. */
  | { readonly kind: 'redirect'; readonly to: string }
  /** Headers of the registry's answer are replaced; an empty value removes one. */
  | { readonly kind: 'headers'; readonly headers: Readonly<Record<string, string>> };

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Of the answer, once there is one. */
  status: number | undefined;
  /** Bytes of its body that arrived. */
  received: number;
  /** Bytes of the answer's body that were sent. */
  sent: number;
}

export interface FaultProxy {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly url: string;
  /** Every request so far, in order. */
  readonly requests: readonly SeenRequest[];
  /** Methods and paths of the requests that match. */
  seen(pattern?: RegExp): readonly string[];
  readonly stop: () => Promise<void>;
}

/** `nth` counts from 1 the requests of one method and path (without query). */
export type Decide = (request: {
  readonly method: string;
  readonly url: string;
  readonly nth: number;
  readonly headers: IncomingHttpHeaders;
}) => Fault | undefined;

/**
 * A proxy in front of a registry in plain HTTP that lets things go wrong, and remembers what was
 * sent.
 * @param bytesPerSecond at which all requests' bodies together go through, if not as fast as can
 * be.
 */
export async function startFaultProxy(
  targetUrl: string,
  decide: Decide = () => undefined,
  bytesPerSecond?: number,
): Promise<FaultProxy> {
  const rate = bytesPerSecond === undefined ? undefined : new RateLimit(bytesPerSecond);
  const requests: SeenRequest[] = [];
  const counts = new Map<string, number>();
  const sessions = new Sessions();
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const key = `${method} ${url.replace(/\?.*/, '')}`;
    const nth = (counts.get(key) ?? 0) + 1;
    counts.set(key, nth);
    const seen: SeenRequest = { method, url, headers, status: undefined, received: 0, sent: 0 };
    requests.push(seen);
    incoming.on('data', (chunk: Buffer) => (seen.received += chunk.length));
    incoming.on('error', () => outgoing.destroy());
    const target = new URL(targetUrl);
    handle(
      { incoming, outgoing, target, seen, sessions, rate },
      decide({ method, url, nth, headers }),
    );
  });
  const served = await serve(server);
  return {
    ...served,
    requests,
    seen: (pattern = /./) =>
      requests.map(({ method, url }) => `${method} ${url}`).filter((line) => pattern.test(line)),
  };
}

/** A request and its answer, with what both go through. */
interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly target: URL;
  readonly seen: SeenRequest;
  readonly sessions: Sessions;
  readonly rate: RateLimit | undefined;
}

function handle(exchange: Exchange, fault: Fault | undefined): void {
  const { incoming, outgoing, target, seen, sessions } = exchange;
  if (fault?.kind === 'break') {
    const length = Number(incoming.headers['content-length'] ?? 0);
    if (length > 0) fault = { kind: 'cut-request', after: Math.ceil(fault.share * length) };
  }
  switch (fault?.kind) {
    case 'reset':
      incoming.socket.resetAndDestroy();
      return;
    case 'answer':
      incoming.resume();
      seen.status = fault.status;
      outgoing.writeHead(fault.status, fault.headers).end(fault.body);
      return;
    case 'redirect':
      incoming.resume();
      outgoing.writeHead(307, { location: `${fault.to}${seen.url}` }).end();
      return;
    case 'cut-request':
    case 'stall-request':
      swallow(incoming, fault, seen);
      return;
    case 'keep-request':
      void sessions.keep(incoming, fault.bytes, target, seen);
      return;
    default:
      forward(exchange, fault);
  }
}

function forward(
  { incoming, outgoing, target, seen, sessions, rate }: Exchange,
  fault: Fault | undefined,
): void {
  const headers = { ...incoming.headers };
  if (fault?.kind === 'no-range') delete headers.range;
  const { hostname, port } = target;
  const upstream = httpRequest(
    {
      hostname,
      port,
      method: seen.method,
      path: sessions.addressOf(seen.url),
      headers,
      agent: false,
    },
    (answer) => {
      sessions.learn(seen.url, answer.headers.location);
      seen.status = answer.statusCode;
      if (fault?.kind === 'reset-answer') {
        incoming.socket.resetAndDestroy();
        answer.resume();
        return;
      }
      const short = fault?.kind === 'short' && {
        'content-length': String(Math.min(fault.bytes, Number(answer.headers['content-length']))),
      };
      const changed = fault?.kind === 'headers' ? fault.headers : { ...short };
      const kept = Object.entries({ ...answer.headers, ...changed }).filter(
        ([, value]) => value !== undefined && value !== '',
      );
      outgoing.writeHead(
        answer.statusCode ?? 502,
        Object.fromEntries(kept) as Record<string, string>,
      );
      void sendBody(answer, outgoing, seen, within(answer, fault));
    },
  );
  upstream.on('error', () => outgoing.destroy());
  incoming.on('aborted', () => upstream.destroy());
  if (rate === undefined) incoming.pipe(upstream);
  else pipeline(incoming, slowed(rate), upstream).catch(() => outgoing.destroy());
}

function slowed(rate: RateLimit) {
  return async function* (body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of body) {
      await rate.spend(chunk.length, NEVER);
      yield chunk;
    }
  };
}

/**
 * The address that the registry wants a session to be called by, where the client knows an older
 * one.
 */
class Sessions {
  readonly #addresses = new Map<string, string>();

  addressOf(url: string): string {
    const [path = '', query = ''] = url.split('?');
    const known = this.#addresses.get(path);
    const digest = new URLSearchParams(query).get('digest');
    if (known === undefined) return url;
    return digest === null ? known : `${known}&digest=${encodeURIComponent(digest)}`;
  }

  /** Only sessions of which something was kept are followed. */
  learn(url: string, location: string | undefined): void {
    const path = url.replace(/\?.*/, '');
    if (location === undefined || !this.#addresses.has(path)) return;
    const { pathname, search } = new URL(location, 'http://registry');
    this.#addresses.set(path, `${pathname}${search}`);
  }

  async keep(
    incoming: IncomingMessage,
    bytes: number,
    target: URL,
    seen: SeenRequest,
  ): Promise<void> {
    const chunks: Buffer[] = [];
    let size = 0;
    await new Promise<void>((resolve) => {
      incoming.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size < bytes) return;
        incoming.pause();
        resolve();
      });
    });
    const path = seen.url.replace(/[?&]digest=.*/, '');
    const body = Buffer.concat(chunks).subarray(0, bytes);
    const answer = await fetch(new URL(path, target), {
      method: 'PATCH',
      headers: { host: seen.headers.host ?? '' },
      body,
    });
    this.#addresses.set(path.replace(/\?.*/, ''), path);
    this.learn(path, answer.headers.get('location') ?? undefined);
    incoming.socket.resetAndDestroy();
  }
}

function within(answer: IncomingMessage, fault: Fault | undefined): Fault | undefined {
  if (fault?.kind !== 'break') return fault;
  const length = Number(answer.headers['content-length'] ?? 0);
  return { kind: 'cut', after: Math.floor(fault.share * length) };
}

/** Where the body of the answer ends, if that is not where it should. */
function endOf(fault: Fault | undefined): number | undefined {
  if (fault?.kind === 'short') return fault.bytes;
  return fault?.kind === 'cut' || fault?.kind === 'stall' ? fault.after : undefined;
}

/** Takes a part of a request's body, and then no more. */
function swallow(
  incoming: IncomingMessage,
  fault: Fault & { kind: 'cut-request' | 'stall-request' },
  seen: SeenRequest,
): void {
  incoming.on('data', () => {
    if (seen.received < fault.after) return;
    if (fault.kind === 'stall-request') incoming.pause();
    else incoming.socket.resetAndDestroy();
  });
}

async function sendBody(
  answer: IncomingMessage,
  outgoing: ServerResponse,
  seen: SeenRequest,
  fault: Fault | undefined,
): Promise<void> {
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const bytes = Buffer.from(chunk);
      if (fault?.kind === 'flip' && fault.at >= seen.sent && fault.at < seen.sent + bytes.length)
        bytes[fault.at - seen.sent]! ^= 1;
      const room = (endOf(fault) ?? Number.POSITIVE_INFINITY) - seen.sent;
      const part = bytes.subarray(0, room);
      seen.sent += part.length;
      await new Promise<void>((resolve) => {
        outgoing.once('close', resolve);
        outgoing.write(part, () => {
          outgoing.off('close', resolve);
          resolve();
        });
      });
      if (room < bytes.length || outgoing.destroyed) break;
    }
    if (fault?.kind === 'cut') outgoing.socket?.destroySoon();
    else if (fault?.kind !== 'stall') outgoing.end();
  } catch {
    outgoing.destroy();
  }
}
