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

/**
 * A line that is shown while it is typed.
 * @param what is asked for, in a word.
 */
export async function ask(terminal: Terminal, prompt: string, what = 'answer'): Promise<string> {
  const asked = { what, output: terminal.stderr, again: showAgain };
  return asking(terminal, asked, (question) => question(prompt));
}

/** Asks for several lines, of which some may be pasted before they are asked for. */
export async function askLines<T>(
  terminal: Terminal,
  work: (ask: (prompt: string) => Promise<string>) => Promise<T>,
): Promise<T> {
  const early: string[] = [];
  const asked = { what: 'line', output: terminal.stderr, again: showAgain };
  return asking(terminal, asked, (question, reader) => {
    // Only lines that no question waits for come here.
    reader.on('line', (line) => early.push(line));
    return work(async (prompt) => early.shift() ?? question(prompt));
  });
}

/** A line that is not. */
export async function askHidden(terminal: Terminal, prompt: string, what: string): Promise<string> {
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  // Somebody who is asked again begins again: nobody sees what they have typed before.
  const again = (reader: Interface): void => {
    reader.write(null, { ctrl: true, name: 'e' });
    reader.write(null, { ctrl: true, name: 'u' });
    terminal.stderr.write(prompt);
  };
  try {
    // Switches the echo off. What is typed as soon as the prompt is there must not be seen.
    return await asking(terminal, { what, output: nowhere, again }, (question) => {
      terminal.stderr.write(prompt);
      return question('');
    });
  } finally {
    terminal.stderr.write('\n');
  }
}

interface Asked {
  /** A word for it. */
  readonly what: string;
  /** Where readline shows what is typed. */
  readonly output: NodeJS.WritableStream;
  /** Shows the question again. */
  readonly again: (reader: Interface) => void;
}

function showAgain(reader: Interface): void {
  reader.prompt(true);
}

/**
 * Runs `work` with lines of the terminal.
 * @throws BundleError USAGE where there is no answer; INTERRUPTED where nobody is asked any more.
 */
async function asking<T>(
  { stdin, signal }: Terminal,
  { what, output, again }: Asked,
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
  reader.on('SIGINT', () => {
    gone.abort(interrupted());
  });
  // Readline would pause, and whoever has nothing else to wait for ends then.
  reader.on('SIGTSTP', () => {
    stdin.setRawMode(false);
    process.kill(process.pid, 'SIGTSTP');
    // Going on, or not stopped at all: without a shell that could go on with it, nothing is.
    stdin.setRawMode(true);
  });
  // The shell has set the terminal to its own mode meanwhile, whoever has stopped this process.
  const goOn = (): void => {
    // Without a change of it, Node takes the mode for set.
    stdin.setRawMode(false);
    stdin.setRawMode(true);
    again(reader);
  };
  process.on('SIGCONT', goOn);
  const either = anySignal(signal, gone.signal);
  try {
    return await work(
      (prompt) => answered(reader.question(prompt, { signal: either }), gone, what),
      reader,
    );
  } finally {
    process.off('SIGCONT', goOn);
    reader.close();
    stdin.off('error', leave).off('end', leave);
  }
}

function ignore(): void {
  // heard by whoever asks
}

/** Ctrl+D ends what is typed: readline turns that into an abort of its own. */
async function answered(
  question: Promise<string>,
  gone: AbortController,
  what: string,
): Promise<string> {
  try {
    return await question;
  } catch (cause) {
    gone.signal.throwIfAborted();
    if (!(cause instanceof Error) || cause.name !== 'AbortError') throw cause;
    throw new BundleError('USAGE', `no ${what} was given`, { cause, hint: 'Nothing was changed.' });
  }
}

/** In a terminal that is asked, Ctrl+C is no signal. */
function interrupted(): BundleError {
  return new BundleError('INTERRUPTED', 'the question was not answered', {
    hint: 'Nothing was changed.',
  });
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
