import type { Server } from 'node:http';
import type { Socket } from 'node:net';

import { listenOnLoopback } from '../../scripts/lib/loopback.ts';

/** A server that listens on this machine, at a free port. */
export interface Served {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly url: string;
  /** Ends it at once, with all connections, whatever goes through them. */
  readonly stop: () => Promise<void>;
}

export async function serve(server: Server): Promise<Served> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const host = await listenOnLoopback(server);
  return {
    host,
    url: `http://${host}`,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
