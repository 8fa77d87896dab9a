import { PassThrough } from 'node:stream';

import { afterEach, describe, expect, it, vi } from 'vitest';

import { askHidden } from '../../../src/cli/ask.ts';
import type { Io } from '../../../src/cli/io.ts';

/** A terminal on which somebody types at each prompt what comes next. */
function terminalWith(...typed: readonly string[]): { terminal: Io; happened: string[] } {
  const happened: string[] = [];
  const rest = [...typed];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (on: boolean) => happened.push(on ? 'echo off' : 'echo on'),
  });
  const stderr = {
    isTTY: true,
    write: (text: string) => {
      happened.push(text);
      if (text === 'password: ') setImmediate(() => stdin.write(rest.shift()));
    },
  };
  const { signal } = new AbortController();
  return { terminal: { stdin, stderr, signal } as unknown as Io, happened };
}

const asked = async (terminal: Io): Promise<string> =>
  askHidden(terminal, 'password: ', 'password');

describe('a question for a password', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('is shown only when the echo is off: what is typed at once cannot be seen', async () => {
    const { terminal, happened } = terminalWith('secret\n');
    expect(await asked(terminal)).toBe('secret');
    expect(happened).toEqual(['echo off', 'password: ', 'echo on', '\n']);
  });

  it('is asked again, without echo, after a stop with Ctrl+Z', async () => {
    const { terminal, happened } = terminalWith('sec\x1a', 'secret\n');
    vi.spyOn(process, 'kill').mockImplementation((_pid, signal) => {
      happened.push(String(signal));
      setImmediate(() => process.emit('SIGCONT', 'SIGCONT'));
      return true;
    });
    expect(await asked(terminal)).toBe('secret');
    expect(happened).toEqual([
      ...['echo off', 'password: '],
      ...['echo on', 'SIGTSTP', 'echo off'],
      ...['echo on', 'echo off', 'password: '],
      ...['echo on', '\n'],
    ]);
    expect(process.listenerCount('SIGCONT')).toBe(0);
  });

  it.each([
    ['Ctrl+D', '\x04', { message: 'no password was given', exitStatus: 2 }],
    ['Ctrl+C', '\x03', { code: 'INTERRUPTED', exitStatus: 130 }],
  ])('that ends with %s says so', async (_, key, refusal) => {
    await expect(asked(terminalWith(key).terminal)).rejects.toMatchObject(refusal);
  });
});
