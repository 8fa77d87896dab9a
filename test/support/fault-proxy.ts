import { createServer, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What goes wrong with one request. */
export type Fault =
  /** An answer of the proxy's own; the registry does not see the request. */
  | { readonly kind: 'answer'; readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  /** The connection is reset; the registry does not see the request. */
  | { readonly kind: 'reset' }
  /** The registry sees the request; the connection is reset instead of the answer. */
  | { readonly kind: 'reset-answer' }
  /** The connection is reset after so many bytes of the answer's body. */
  | { readonly kind: 'cut'; readonly after: number }
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
export type Decide = (request: { readonly method: string; readonly url: string; readonly nth: number }) => Fault | undefined;

/** A proxy in front of a registry in plain HTTP that lets things go wrong, and remembers what was sent. */
export async function startFaultProxy(targetUrl: string, decide: Decide = () => undefined): Promise<FaultProxy> {
  const requests: SeenRequest[] = [];
  const counts = new Map<string, number>();
  const sockets = new Set<Socket>();
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const key = `${method} ${url.replace(/\?.*/, '')}`;
    const nth = (counts.get(key) ?? 0) + 1;
    counts.set(key, nth);
    const seen: SeenRequest = { method, url, headers, received: 0, sent: 0 };
    requests.push(seen);
    incoming.on('data', (chunk: Buffer) => (seen.received += chunk.length));
    incoming.on('error', () => outgoing.destroy());
    handle(incoming, outgoing, new URL(targetUrl), seen, decide({ method, url, nth }));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `http://${host}`,
    requests,
    seen: (pattern = /./) => requests.map(({ method, url }) => `${method} ${url}`).filter((line) => pattern.test(line)),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function handle(incoming: IncomingMessage, outgoing: ServerResponse, target: URL, seen: SeenRequest, fault: Fault | undefined): void {
  switch (fault?.kind) {
    case 'reset':
      incoming.socket.resetAndDestroy();
      return;
    case 'answer':
      incoming.resume();
      outgoing.writeHead(fault.status, fault.headers).end(fault.body);
      return;
    case 'redirect':
      incoming.resume();
      outgoing.writeHead(307, { location: `${fault.to}${seen.url}` }).end();
      return;
    default:
      forward(incoming, outgoing, target, seen, fault);
  }
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, target: URL, seen: SeenRequest, fault: Fault | undefined): void {
  const headers = { ...incoming.headers };
  if (fault?.kind === 'no-range') delete headers.range;
  const { hostname, port } = target;
  const upstream = httpRequest({ hostname, port, method: seen.method, path: seen.url, headers, agent: false }, (answer) => {
    if (fault?.kind === 'reset-answer') {
      incoming.socket.resetAndDestroy();
      answer.resume();
      return;
    }
    const changed = fault?.kind === 'headers' ? fault.headers : {};
    const kept = Object.entries({ ...answer.headers, ...changed }).filter(([, value]) => value !== undefined && value !== '');
    outgoing.writeHead(answer.statusCode ?? 502, Object.fromEntries(kept) as Record<string, string>);
    void sendBody(answer, outgoing, seen, fault);
  });
  upstream.on('error', () => outgoing.destroy());
  incoming.on('aborted', () => upstream.destroy());
  incoming.pipe(upstream);
}

async function sendBody(answer: IncomingMessage, outgoing: ServerResponse, seen: SeenRequest, fault: Fault | undefined): Promise<void> {
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const bytes = Buffer.from(chunk);
      if (fault?.kind === 'flip' && fault.at >= seen.sent && fault.at < seen.sent + bytes.length) bytes[fault.at - seen.sent]! ^= 1;
      const room = fault?.kind === 'cut' ? fault.after - seen.sent : bytes.length;
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
    else outgoing.end();
  } catch {
    outgoing.destroy();
  }
}
