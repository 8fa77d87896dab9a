import { PassThrough } from 'node:stream';

import { describe, expect, it } from 'vitest';

import { askHidden } from '../../../src/cli/ask.ts';
import type { Io } from '../../../src/cli/io.ts';

describe('a question for a password', () => {
  it('is shown only when the echo is off: what is typed at once cannot be seen', async () => {
    const happened: string[] = [];
    const stdin = Object.assign(new PassThrough(), {
      isTTY: true,
      setRawMode: (on: boolean) => happened.push(on ? 'echo off' : 'echo on'),
    });
    const stderr = {
      isTTY: true,
      write: (text: string) => {
        happened.push(text);
        if (text === 'password: ') setImmediate(() => stdin.write('secret\n'));
      },
    };
    const terminal = { stdin, stderr, signal: new AbortController().signal } as unknown as Io;
    expect(await askHidden(terminal, 'password: ')).toBe('secret');
    expect(happened).toEqual(['echo off', 'password: ', 'echo on', '\n']);
  });
});
