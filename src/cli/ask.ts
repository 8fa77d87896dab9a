import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

import { BundleError } from '../core/errors.ts';
import type { Io } from './io.ts';

type Terminal = Pick<Io, 'stdin' | 'stderr' | 'signal'>;

/** Whether somebody is there to be asked. */
export function canAsk({ stdin, stderr }: Terminal): boolean {
  return stdin.isTTY && stderr.isTTY;
}

/** A line that is shown while it is typed. */
export async function ask({ stdin, stderr, signal }: Terminal, prompt: string): Promise<string> {
  const terminal = createInterface({ input: stdin, output: stderr, terminal: true });
  try {
    return await answered(terminal.question(prompt, { signal }));
  } finally {
    terminal.close();
  }
}

/** Asks for several lines, of which some may be pasted before they are asked for. */
export async function askLines<T>(
  { stdin, stderr, signal }: Terminal,
  work: (ask: (prompt: string) => Promise<string>) => Promise<T>,
): Promise<T> {
  const terminal = createInterface({ input: stdin, output: stderr, terminal: true });
  const early: string[] = [];
  // Only lines that no question waits for come here.
  terminal.on('line', (line) => early.push(line));
  try {
    return await work(
      async (prompt) => early.shift() ?? answered(terminal.question(prompt, { signal })),
    );
  } finally {
    terminal.close();
  }
}

/** A line that is not. */
export async function askHidden(
  { stdin, stderr, signal }: Terminal,
  prompt: string,
): Promise<string> {
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  // Switches the echo off. What is typed as soon as the prompt is there must not be seen.
  const terminal = createInterface({ input: stdin, output: nowhere, terminal: true });
  try {
    stderr.write(prompt);
    return await answered(terminal.question('', { signal }));
  } finally {
    terminal.close();
    stderr.write('\n');
  }
}

/**
 * In a terminal that is asked, Ctrl+C and Ctrl+D are no signals: readline turns them into an abort
 * of its own.
 */
async function answered(question: Promise<string>): Promise<string> {
  try {
    return await question;
  } catch (cause) {
    if (!(cause instanceof Error) || cause.name !== 'AbortError') throw cause;
    throw new BundleError('INTERRUPTED', 'the question was not answered', {
      cause,
      hint: 'Nothing was changed.',
    });
  }
}
