import { createWriteStream, fstatSync, readSync, type Stats, statSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { addAbortSignal, type Readable, type Writable } from 'node:stream';

import { readAll } from '../core/bytes.ts';
import { BundleError } from '../core/errors.ts';
import { diskError, writeError } from '../files/disk-error.ts';
import type { Io } from './io.ts';

const STDIN = 0;
const STDOUT = 1;

/** How a pipe is written in place of a path. */
export const PIPE = '-';

/**
 * Where a bundle comes in. A signal ends it, even while nothing comes.
 * @throws BundleError USAGE for what holds none: a terminal, a folder, or nothing.
 */
export function inputPipe(io: Io): Readable {
  const found = io.stdin.isTTY ? 'a terminal' : emptyStdin();
  if (found === undefined) return endingStdin(io);
  throw new BundleError('USAGE', `cannot read a bundle from stdin, which is ${found}`, {
    hint: 'Send it through a pipe: PROGRAM | bundle … -',
  });
}

/**
 * What stdin is, if nothing can come from it. Node puts the null device in the place of a stdin
 * that is closed.
 */
export function emptyStdin(): string | undefined {
  const found = fstatSync(STDIN);
  if (found.isDirectory()) return 'a folder';
  return isNullDevice(found) ? 'closed, or /dev/null' : undefined;
}

function isNullDevice(found: Stats): boolean {
  return found.isCharacterDevice() && found.rdev === statSync('/dev/null').rdev;
}

/** A short text from stdin, whole. @throws BundleError DISK; CONTENT_MISMATCH for a longer one. */
export async function readStdin(io: Io, limit: number, what: string): Promise<Uint8Array> {
  try {
    return await readAll(endingStdin(io), limit, what);
  } catch (error) {
    if (io.signal.aborted || error instanceof BundleError) throw error;
    throw diskError('read', `${what} from stdin`, error);
  }
}

/** Stdin that is no terminal, up to a signal. */
export function endingStdin({ stdin, signal }: Pick<Io, 'stdin' | 'signal'>): Readable {
  stdin.on('error', () => undefined); // before somebody reads, nobody else would hear it
  return addAbortSignal(signal, stdin);
}

/**
 * Where a bundle goes out. Node writes to a pipe at its stdout while everything else waits, and
 * does not even see a signal while the reader is slow: so this is another stream for the same end.
 * @throws BundleError USAGE for a terminal, or nothing; DISK for what cannot be written.
 */
export function outputPipe({ stdout }: Io): Writable {
  if (stdout.isTTY) {
    throw new BundleError('USAGE', 'cannot write a bundle to stdout, which is a terminal', {
      hint: 'Write, for example: bundle pack … -o - | PROGRAM',
    });
  }
  const kind = fstatSync(STDOUT);
  if (kind.isFIFO() || kind.isSocket())
    return new Socket({ fd: STDOUT, readable: false, writable: true });
  if (isNullDevice(kind) && isReadable()) {
    throw new BundleError('USAGE', 'cannot write a bundle to stdout, which is closed', {
      hint: 'Nobody would have the bundle. To try it without one, write: … -o - > /dev/null',
    });
  }
  try {
    writeSync(STDOUT, new Uint8Array(0)); // before anything is fetched
  } catch (error) {
    throw writeError('write to', 'stdout', error);
  }
  return createWriteStream('', { fd: STDOUT, autoClose: false });
}

/**
 * Whether stdout can be read, as the null device can be that Node puts in the place of a closed
 * stdout. What a shell has opened with `> /dev/null` can only be written.
 */
function isReadable(): boolean {
  try {
    readSync(STDOUT, new Uint8Array(1));
    return true;
  } catch {
    return false;
  }
}
