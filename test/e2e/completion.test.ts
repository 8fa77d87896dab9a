import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { temporaryFolder } from '../support/user.ts';

/**
 * Completes the words given to it, the last of which is being typed, as the shell would; one
 * proposal a line.
 */
const COMPLETE = `
source <(bundle completion)
COMP_WORDS=(bundle "$@")
COMP_CWORD=$#
_bundle_yargs_completions
printf '%s\\n' "\${COMPREPLY[@]}"`;

describe('completion in bash', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    temporary = await temporaryFolder('completion');
    const program = join(temporary.path, 'bundle');
    await writeFile(
      program,
      `#!/bin/sh\nexec "${process.execPath}" "${projectPath('dist/bin.js')}" "$@"\n`,
    );
    await chmod(program, 0o755);
  });
  afterAll(() => temporary.remove());

  const complete = async (...words: readonly string[]): Promise<readonly string[]> => {
    const env = {
      PATH: `${temporary.path}:${process.env['PATH'] ?? ''}`,
      HOME: temporary.path,
      SHELL: '/bin/bash',
    };
    const { stdout } = await execa('bash', ['--norc', '-c', COMPLETE, 'bash', ...words], {
      env,
      extendEnv: false,
      stdin: 'ignore',
    });
    return stdout.split('\n').filter((word) => word !== '');
  };

  it.each([
    { words: ['pa'], proposes: ['pack'] },
    {
      words: [''],
      proposes: ['pack', 'verify', 'inspect', 'unpack', 'mirror', 'keygen', 'sign', 'trust'],
    },
    { words: ['trust', ''], proposes: ['add', 'list', 'remove'] },
    { words: ['pack', '4.17.3', '--dry'], proposes: ['--dry-run'] },
    { words: ['unpack', '--'], proposes: ['--to', '--authfile', '--output'] },
    { words: ['verify', '--output', ''], proposes: ['text', 'json'] },
    { words: ['keygen', '--type', 'ed'], proposes: ['ed25519'] },
    { words: ['trust', 'add', '--out'], proposes: ['--output'] },
  ])('of $words proposes $proposes', async ({ words, proposes }) => {
    expect(await complete(...words)).toEqual(expect.arrayContaining([...proposes]));
  });

  it('leaves files to the shell', async () => {
    expect(await complete('verify', '')).toEqual([]);
    expect(await complete('trust', 'add', 'x')).toEqual([]);
  });
});
