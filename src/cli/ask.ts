import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

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
    return await terminal.question(prompt, { signal });
  } finally {
    terminal.close();
  }
}

/** A line that is not. */
export async function askHidden({ stdin, stderr, signal }: Terminal, prompt: string): Promise<string> {
  stderr.write(prompt);
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const terminal = createInterface({ input: stdin, output: nowhere, terminal: true });
  try {
    return await terminal.question('', { signal });
  } finally {
    terminal.close();
    stderr.write('\n');
  }
}
