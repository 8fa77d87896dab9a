import { createServer, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

import { type Served, serve } from './served.ts';

export interface ConnectProxy extends Served {
  /** The hosts that it was asked for, in order. */
  readonly asked: readonly string[];
}

/** A proxy that takes every name for one server on this machine. @param target `HOST:PORT` */
export async function startConnectProxy(target: string): Promise<ConnectProxy> {
  const asked: string[] = [];
  const server = createServer((_, answer) => answer.writeHead(405).end());
  server.on('connect', ({ url = '' }: IncomingMessage, client: Duplex) => {
    asked.push(url);
    const { hostname, port } = new URL(`http://${target}`);
    const upstream = connect(Number(port), hostname);
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    client.pipe(upstream).pipe(client);
  });
  return { ...(await serve(server)), asked };
}
