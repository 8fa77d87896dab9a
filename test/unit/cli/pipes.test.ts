import { PassThrough } from 'node:stream';

import { expect, it } from 'vitest';

import { endingStdin } from '../../../src/cli/pipes.ts';
import type { Io } from '../../../src/cli/io.ts';

const stdinOf = (stream: PassThrough): Io['stdin'] => stream as unknown as Io['stdin'];

it('ends stdin at a signal, though nobody reads it yet', async () => {
  const stdin = new PassThrough();
  const ended = new Promise((resolve) => stdin.on('close', resolve));
  endingStdin({ stdin: stdinOf(stdin), signal: AbortSignal.abort() });
  // An error that nobody hears would end the program before this.
  await ended;
  expect(stdin.destroyed).toBe(true);
});

it('ends stdin at a signal while it is read', async () => {
  const stdin = new PassThrough();
  const controller = new AbortController();
  const input = endingStdin({ stdin: stdinOf(stdin), signal: controller.signal });
  const read = input[Symbol.asyncIterator]().next();
  controller.abort(new Error('enough'));
  await expect(read).rejects.toMatchObject({ cause: { message: 'enough' } });
});
