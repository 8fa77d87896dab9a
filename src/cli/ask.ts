import { createInterface, type Interface } from 'node:readline/promises';
import { Writable } from 'node:stream';

import { anySignal } from '../core/concurrency.ts';
import { BundleError } from '../core/errors.ts';
import type { Io } from './io.ts';

type Terminal = Pick<Io, 'stdin' | 'stderr' | 'signal'>;

/** Whether somebody is there to be asked. */
export function canAsk({ stdin, stderr }: Terminal): boolean {
  return stdin.isTTY && stderr.isTTY;
}

/** A line that is shown while it is typed. */
export async function ask(terminal: Terminal, prompt: string): Promise<string> {
  return asking(terminal, terminal.stderr, (question) => question(prompt));
}

/** Asks for several lines, of which some may be pasted before they are asked for. */
export async function askLines<T>(
  terminal: Terminal,
  work: (ask: (prompt: string) => Promise<string>) => Promise<T>,
): Promise<T> {
  const early: string[] = [];
  return asking(terminal, terminal.stderr, (question, reader) => {
    // Only lines that no question waits for come here.
    reader.on('line', (line) => early.push(line));
    return work(async (prompt) => early.shift() ?? question(prompt));
  });
}

/** A line that is not. */
export async function askHidden(terminal: Terminal, prompt: string): Promise<string> {
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  try {
    // Switches the echo off. What is typed as soon as the prompt is there must not be seen.
    return await asking(terminal, nowhere, (question) => {
      terminal.stderr.write(prompt);
      return question('');
    });
  } finally {
    terminal.stderr.write('\n');
  }
}

/**
 * Runs `work` with lines of the terminal.
 * @param output where readline shows what is typed.
 * @throws BundleError INTERRUPTED where nobody answers any more.
 */
async function asking<T>(
  { stdin, signal }: Terminal,
  output: NodeJS.WritableStream,
  work: (question: (prompt: string) => Promise<string>, reader: Interface) => Promise<T>,
): Promise<T> {
  const gone = new AbortController();
  const leave = (cause?: unknown): void => {
    gone.abort(closed(cause));
  };
  // A terminal that has gone cannot be set back either: that fails when nobody asks any more.
  stdin.off('error', ignore).on('error', ignore);
  stdin.once('error', leave).once('end', leave);
  const reader = createInterface({ input: stdin, output, terminal: true });
  reader.on('error', leave);
  const either = anySignal(signal, gone.signal);
  try {
    return await work(
      (prompt) => answered(reader.question(prompt, { signal: either }), gone),
      reader,
    );
  } finally {
    reader.close();
    stdin.off('error', leave).off('end', leave);
  }
}

function ignore(): void {
  // heard by whoever asks
}

/**
 * In a terminal that is asked, Ctrl+C and Ctrl+D are no signals: readline turns them into an abort
 * of its own.
 */
async function answered(question: Promise<string>, gone: AbortController): Promise<string> {
  try {
    return await question;
  } catch (cause) {
    gone.signal.throwIfAborted();
    if (!(cause instanceof Error) || cause.name !== 'AbortError') throw cause;
    throw new BundleError('INTERRUPTED', 'the question was not answered', {
      cause,
      hint: 'Nothing was changed.',
    });
  }
}

/** The kernel says the same with SIGHUP, but not to everybody. */
function closed(cause: unknown): BundleError {
  return new BundleError(
    'INTERRUPTED',
    'the terminal was closed before the question was answered',
    {
      cause,
      status: 129,
      hint: 'Nothing was changed.',
    },
  );
}
