import { describe, expect, it } from 'vitest';

import type { Io } from '../../../src/cli/io.ts';
import { main } from '../../../src/cli/main.ts';

/** A run in which something fails that nobody expects to. */
async function runFailing(error: Error): Promise<{ status: number; said: string }> {
  let said = '';
  const stderr = { isTTY: false, write: (text: string) => (said += text) };
  const io = {
    environment: { env: {}, home: '/', uid: 0 },
    ...{ stdout: stderr, stderr, stdin: {}, signal: new AbortController().signal },
    get folderFault(): unknown {
      throw error;
    },
  } as unknown as Io;
  return { status: await main(['trust', 'list'], io), said };
}

const withCode = (code: string): Error => Object.assign(new Error(code), { code });

describe('a limit of the host', () => {
  it.each([
    [withCode('EMFILE'), 'ulimit -n'],
    [withCode('ENFILE'), 'ulimit -n'],
    [withCode('ENOMEM'), 'no more memory'],
    [new RangeError('Array buffer allocation failed'), 'no more memory'],
  ])('is no bug, wherever it is met: %s', async (error, words) => {
    const { status, said } = await runFailing(error);
    expect({ status, said }).toEqual({ status: 26, said });
    expect(said).toContain(words);
  });

  it.each([withCode('EINVAL'), new RangeError('Invalid array length')])(
    'is nothing else: %s',
    async (error) => {
      const { status, said } = await runFailing(error);
      expect(status).toBe(1);
      expect(said).toContain('this is a bug');
    },
  );
});
