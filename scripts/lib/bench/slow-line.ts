import { createServer, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { listenOnLoopback } from '../loopback.ts';

export interface Slowness {
  /** Milliseconds that each request needs on its way. */
  readonly latencyMs?: number;
  /** Bytes per second that come back over one connection at most. */
  readonly bytesPerSecond?: number;
  /** Bytes per second that come back over all connections together. */
  readonly bytesPerSecondInAll?: number;
  /** Is called with the path of each request when the first byte of its answer comes back. */
  readonly answered?: (path: string) => void;
}

export interface SlowLine {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Requests that went through it so far. */
  readonly requests: () => number;
  readonly stop: () => Promise<void>;
}

/** HTTP/1.1 without pipelining: a request begins a stretch of bytes of its own. */
const REQUEST = /^(GET|HEAD|POST|PUT|PATCH|DELETE) \/v2\//;

/**
 * A long or a narrow line to a server on loopback, in TCP: nothing of what goes through it is
 * changed.
 */
export async function slowLine(target: string, slowness: Slowness): Promise<SlowLine> {
  const [hostname, port] = target.split(':') as [string, string];
  const sockets = new Set<Socket>();
  let requests = 0;
  const inAll =
    slowness.bytesPerSecondInAll === undefined ? undefined : new Toll(slowness.bytesPerSecondInAll);
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {
        client.destroy();
        upstream.destroy();
      });
      socket.on('close', () => sockets.delete(socket));
    }
    let asked: string | undefined;
    const count = (chunk: Buffer): void => {
      if (!REQUEST.test(startOf(chunk))) return;
      requests += 1;
      asked = chunk.toString('latin1', 0, 4096).split(' ', 2)[1];
    };
    const answer = (): void => {
      if (asked !== undefined) slowness.answered?.(asked);
      asked = undefined;
    };
    const alone =
      slowness.bytesPerSecond === undefined ? undefined : new Toll(slowness.bytesPerSecond);
    const tolls = [alone, inAll].filter((toll) => toll !== undefined);
    void passOn(client, upstream, count, { latencyMs: slowness.latencyMs, tolls: [] });
    void passOn(upstream, client, answer, { latencyMs: undefined, tolls });
  });
  const host = await listenOnLoopback(server);
  return {
    host,
    requests: () => requests,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function startOf(chunk: Buffer): string {
  return chunk.toString('latin1', 0, 16);
}

/** What bytes wait for, so that no more than so many come in a second. */
class Toll {
  readonly #bytesPerSecond: number;
  #paid = performance.now();

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  async pay(bytes: number): Promise<void> {
    const now = performance.now();
    this.#paid = Math.max(this.#paid, now) + (bytes / this.#bytesPerSecond) * 1000;
    if (this.#paid - now > 20) await sleep(this.#paid - now);
  }
}

async function passOn(
  from: Socket,
  to: Socket,
  see: (chunk: Buffer) => void,
  { latencyMs, tolls }: { latencyMs: number | undefined; tolls: readonly Toll[] },
): Promise<void> {
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      see(chunk);
      if (latencyMs !== undefined && REQUEST.test(startOf(chunk))) await sleep(latencyMs);
      for (const toll of tolls) await toll.pay(chunk.length);
      if (!to.write(chunk))
        await new Promise<void>((resolve) => to.once('drain', resolve).once('close', resolve));
    }
    to.end();
  } catch {
    to.destroy();
  }
}
