import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

import { BundleError } from '../core/errors.ts';
import type { Io } from './io.ts';

/**
 * The passphrase of a key: `$BUNDLE_KEY_PASSPHRASE`, else asked for in a terminal without showing it.
 * @returns `undefined` where there is neither.
 */
export async function askPassphrase(io: Io, { twice = false } = {}): Promise<string | undefined> {
  const given = io.environment.env['BUNDLE_KEY_PASSPHRASE'];
  if (given !== undefined) return given;
  if (!io.stdin.isTTY || !io.stderr.isTTY) return undefined;
  const passphrase = await askHidden(io, 'passphrase of the key: ');
  if (twice && passphrase !== (await askHidden(io, 'the same again: '))) throw new BundleError('USAGE', 'the two passphrases differ');
  return passphrase;
}

async function askHidden({ stdin, stderr, signal }: Io, prompt: string): Promise<string> {
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
