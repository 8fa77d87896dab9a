import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Slowness {
  /** Milliseconds that each request needs on its way. */
  readonly latencyMs?: number;
  /** Bytes per second that come back over one connection at most. */
  readonly bytesPerSecond?: number;
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

/** A long or a narrow line to a server on loopback, in TCP: nothing of what goes through it is changed. */
export async function slowLine(target: string, slowness: Slowness): Promise<SlowLine> {
  const [hostname, port] = target.split(':') as [string, string];
  const sockets = new Set<Socket>();
  let requests = 0;
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
    const count = (chunk: Buffer): void => {
      if (REQUEST.test(chunk.subarray(0, 16).toString('latin1'))) requests += 1;
    };
    void passOn(client, upstream, count, slowness.latencyMs, undefined);
    void passOn(upstream, client, () => undefined, undefined, slowness.bytesPerSecond);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function passOn(
  from: Socket,
  to: Socket,
  count: (chunk: Buffer) => void,
  latencyMs: number | undefined,
  bytesPerSecond: number | undefined,
): Promise<void> {
  let paid = performance.now();
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      count(chunk);
      const now = performance.now();
      if (latencyMs !== undefined && REQUEST.test(chunk.subarray(0, 16).toString('latin1'))) await sleep(latencyMs);
      if (bytesPerSecond !== undefined) {
        paid = Math.max(paid, now) + (chunk.length / bytesPerSecond) * 1000;
        if (paid - now > 20) await sleep(paid - now);
      }
      if (!to.write(chunk)) await new Promise<void>((resolve) => to.once('drain', resolve).once('close', resolve));
    }
    to.end();
  } catch {
    to.destroy();
  }
}
