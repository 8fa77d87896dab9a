import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';

import { systemCode } from '../../core/errors.ts';

/** How long somebody may have a pipe open, and send nothing, before that is told. */
export const SILENCE_MS = 5000;
/** How much is read at once. */
const PIECE = 64 * 1024;

/** Files are read in places that know nothing of a run, and all of them may be pipes. */
const AWAITED = 'bundle.pipe-awaited';
const awaited = channel(AWAITED);

/**
 * Hears the names of the pipes that something is waited for from, where nobody would see that.
 * @returns ends it.
 */
export function onAwaitedPipe(tell: (name: string) => void): () => void {
  const listener = (name: unknown): void => {
    tell(String(name));
  };
  subscribe(AWAITED, listener);
  return () => {
    unsubscribe(AWAITED, listener);
  };
}

/**
 * What comes through a pipe until its writer closes it. None of Node's threads reads it: one that
 * waits for a writer who never comes could not be ended, and would keep the process.
 * @param name for messages.
 */
export async function* contentOfPipe(path: string, name: string): AsyncGenerator<Buffer> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let first: Buffer | undefined;
  let socket: Socket;
  try {
    first = whatIsThere(fd);
    socket = new Socket({ fd, readable: true, writable: false });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const tell = (): void => {
    awaited.publish(name);
  };
  // Nothing, and no reason to wait for more: nobody has the other end open.
  if (first?.length === 0) tell();
  const silence = first === undefined ? setTimeout(tell, SILENCE_MS).unref() : undefined;
  try {
    if (first !== undefined && first.length > 0) yield first;
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      clearTimeout(silence);
      yield chunk;
    }
  } finally {
    clearTimeout(silence);
    socket.destroy();
  }
}

/** @returns `undefined` where somebody has the other end open, and nothing has come yet. */
function whatIsThere(fd: number): Buffer | undefined {
  const buffer = Buffer.allocUnsafe(PIECE);
  try {
    return buffer.subarray(0, readSync(fd, buffer));
  } catch (error) {
    if (systemCode(error) === 'EAGAIN') return undefined;
    throw error;
  }
}
