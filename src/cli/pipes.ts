import { createWriteStream, fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { addAbortSignal, type Readable, type Writable } from 'node:stream';

import { BundleError } from '../core/errors.ts';
import type { Io } from './io.ts';

const STDOUT = 1;

/** How a pipe is written in place of a path. */
export const PIPE = '-';

/**
 * Where a bundle comes in. A signal ends it, even while nothing comes.
 * @throws BundleError USAGE for a terminal.
 */
export function inputPipe(io: Io): Readable {
  if (!io.stdin.isTTY) return endingStdin(io);
  throw new BundleError('USAGE', 'cannot read a bundle from stdin, which is a terminal', {
    hint: 'Write, for example: PROGRAM | bundle verify -',
  });
}

/** Stdin that is no terminal, up to a signal. */
export function endingStdin({ stdin, signal }: Pick<Io, 'stdin' | 'signal'>): Readable {
  stdin.on('error', () => undefined); // before somebody reads, nobody else would hear it
  return addAbortSignal(signal, stdin);
}

/**
 * Where a bundle goes out. Node writes to a pipe at its stdout while everything else waits, and
 * does not even see a signal while the reader is slow: so this is another stream for the same end.
 * @throws BundleError USAGE for a terminal.
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
  return createWriteStream('', { fd: STDOUT, autoClose: false });
}
