import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Ended, startBundle } from '../support/bundle-process.ts';
import { describeWith } from '../support/needs.ts';
import { showOnTerminal } from '../support/terminal.ts';
import { temporaryFolder } from '../support/user.ts';

let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  temporary = await temporaryFolder('streams');
});
afterAll(() => temporary.remove());

/** Runs the program with its streams as a shell directs them. */
async function redirected(args: readonly string[], redirection: string): Promise<Ended> {
  const shell = ['sh', '-c', `exec "$@" ${redirection}`, 'sh', process.execPath];
  return (await startBundle(args, { folder: temporary.path }, shell)).ended;
}

const PACK = ['pack', '4.17.3', '--mirror', 'quay.io=127.0.0.1:1/quay', '-o', '-'];
const PASSWORD = ['login', '127.0.0.1:1', '--username', 'u', '--password-stdin'];
const UNPACK = ['unpack', '-', '--to', '127.0.0.1:1/ocp4'];
const CLOSED = 'stdin, which is closed, or /dev/null';
const WRONG_WAY = 'it is closed, or is not open in this direction (EBADF)';

describe('a stream that is closed, or leads nowhere', () => {
  it.each([
    { args: ['verify', '-'], by: '<&-', status: 2, says: `a bundle from ${CLOSED}` },
    { args: ['verify', '-'], by: '< /dev/null', status: 2, says: `a bundle from ${CLOSED}` },
    { args: ['verify', '-'], by: '< /', status: 2, says: 'a bundle from stdin, which is a folder' },
    { args: ['verify', '-'], by: '0> written', status: 26, says: `stdin at byte 0: ${WRONG_WAY}` },
    { args: ['inspect', '-'], by: '<&-', status: 2, says: `a bundle from ${CLOSED}` },
    { args: UNPACK, by: '<&-', status: 2, says: `a bundle from ${CLOSED}` },
    { args: PASSWORD, by: '<&-', status: 2, says: `the password from ${CLOSED}` },
    { args: PASSWORD, by: '0> written', status: 26, says: `the password from stdin: ${WRONG_WAY}` },
    { args: PASSWORD.slice(0, -1), by: '<&-', status: 2, says: 'stdin is not a terminal' },
    { args: ['keygen', '--encrypt'], by: '<&-', status: 2, says: '--encrypt needs a passphrase' },
    { args: PACK, by: '>&-', status: 2, says: 'a bundle to stdout, which is closed' },
    { args: PACK, by: '1< /etc/passwd', status: 26, says: `cannot write to stdout: ${WRONG_WAY}` },
    { args: ['--version'], by: '> /dev/full', status: 26, says: 'no space is left' },
    { args: ['--version'], by: '1< /etc/passwd', status: 26, says: `the result: ${WRONG_WAY}` },
  ])('ends $args with $status: $by', async ({ args, by, status, says }) => {
    const ended = await redirected(args, by);
    expect(ended).toMatchObject({ status, stdout: '' });
    expect(ended.stderr).toContain(says);
    expect(await readdir(join(temporary.path, 'home'))).toEqual([]);
  });

  it('as an empty pipe is no bundle: 22', async () => {
    const { status, stderr } = await redirected(['verify', '-'], '');
    expect({ status, stderr }).toEqual({
      status: 22,
      stderr: expect.stringContaining('stdin is not a bundle: it is empty') as string,
    });
  });

  it('as the null device that a shell opened for writing takes a bundle: it is asked for', async () => {
    expect((await redirected(PACK, '> /dev/null')).status).toBe(25);
  });

  it('hides no failure, whichever it is', async () => {
    for (const by of ['2>&-', '>&- 2>&-', '<&- >&- 2>&-', '2> /dev/full', '2< /etc/passwd'])
      expect(await redirected(['verify', 'nowhere'], by)).toMatchObject({ status: 23, stderr: '' });
  });

  it('takes nothing of the result: what was done is told, and is there', async () => {
    const key = join(temporary.path, 'key.pem');
    const { status, stderr } = await redirected(['keygen', '-o', key], '> /dev/full');
    expect(status).toBe(26);
    expect(stderr).toContain('cannot write the result: no space is left');
    expect(stderr).toContain('The command itself has ended with status 0');
    expect((await stat(key)).isFile()).toBe(true);
  });
});

describe('a working folder that was removed', () => {
  const inNone = async (args: readonly string[]): Promise<Ended> => {
    const cwd = join(temporary.path, 'removed');
    await mkdir(cwd);
    // The program starts when the folder is gone.
    const shell = ['sh', '-c', 'rmdir ../removed && exec "$@"', 'sh', process.execPath];
    try {
      return await (
        await startBundle(args, { folder: temporary.path, cwd }, shell)
      ).ended;
    } finally {
      await rmdir(cwd).catch(() => undefined);
    }
  };

  it.each([
    ['pack', '4.17.3', '-o', 'x'],
    ['verify', 'x'],
    ['verify', '/nowhere'],
    ['inspect', 'x'],
    ['unpack', 'x', '--to', 'oci:y'],
    ['mirror', '4.17.3', '--to', '127.0.0.1:1/x'],
    ['repair', 'x', '-o', 'y'],
    ['path', '4.16.1', '4.17.3'],
    ['releases', '--channel', 'stable-4.17'],
    ['login', '127.0.0.1:1', '-u', 'u', '--password-stdin'],
    ['logout', '127.0.0.1:1'],
    ['check-registry', '127.0.0.1:1/x'],
    ['keygen'],
    ['sign', 'x'],
    ['trust', 'list'],
  ])('ends a command with a sentence, and 26: %s', async (...args) => {
    const { status, stdout, stderr } = await inNone([...args, '--output', 'json']);
    const message =
      'cannot find the folder that this command was started in: no such file or folder (ENOENT)';
    expect({ status, stderr }).toEqual({
      status: 26,
      stderr: expect.stringMatching(/^bundle: cannot find the folder/) as string,
    });
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'DISK', status: 26, message } });
  });

  it.each([['--version'], ['--help'], ['pack', '--help'], ['completion']])(
    'keeps nobody from reading what the program is: %s',
    async (...args) => {
      const { status, stdout, stderr } = await inNone(args);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout.length).toBeGreaterThan(0);
    },
  );
});

describeWith(['python3'], 'variables for colours that contradict each other', () => {
  const shown = async (env: Readonly<Record<string, string>>): Promise<string> => {
    const { written } = await showOnTerminal(['verify', 'nowhere', '--progress', 'none'], {
      columns: 80,
      env: { HOME: join(temporary.path, 'home'), TERM: 'xterm', ...env },
      cwd: temporary.path,
    });
    expect(written).toContain('cannot open nowhere');
    return written;
  };

  it.each([
    { env: { NO_COLOR: '1', FORCE_COLOR: '1' }, hasColor: false },
    { env: { NO_COLOR: '', FORCE_COLOR: '1' }, hasColor: true },
    { env: { NODE_DISABLE_COLORS: '1', FORCE_COLOR: '1' }, hasColor: true },
  ])('are settled without a warning: $env', async ({ env, hasColor }) => {
    const written = await shown(env);
    expect(written).not.toContain('Warning');
    expect(written.includes('\u001b[31m')).toBe(hasColor);
  });
});
