import { spawn } from 'node:child_process';
import { Credentials } from '../core/credentials.ts';
import { BundleError, systemCode } from '../core/errors.ts';
import { isObject, type Json } from '../core/json.ts';
import { MAX_HELPER_BYTES } from '../core/limits.ts';
import { oneLine } from '../core/text.ts';
import { systemWords } from '../files/disk-error.ts';
import type { HelperCall } from './auth-entries.ts';

/** Some ask their cloud, or a person to unlock a keyring. */
const HELPER_MS = 60_000;

/**
 * The message of every helper, with status 1, for a registry that it does not know
 * (docker-credential-helpers).
 */
const NOT_FOUND = 'credentials not found in native keychain';
/** The user name that stands for an identity token. */
const TOKEN_USER = '<token>';

type Environment = Readonly<Record<string, string | undefined>>;

/** How a helper program ended. */
interface Ended {
  readonly succeeded: boolean;
  readonly output: string;
}

/**
 * Asks `docker-credential-NAME` for credentials; `undefined` where it has none.
 * @throws BundleError CONFIGURATION where it is not installed, fails, takes longer than a minute,
 * or answers with something else.
 */
export async function getFromHelper(
  { helper, server }: HelperCall,
  env: Environment,
): Promise<Credentials | undefined> {
  const { succeeded, output } = await run(helper, 'get', server, env);
  if (!succeeded && output.includes(NOT_FOUND)) return undefined;
  const answer = parse(output);
  // The output of a failure is a message, unless it is credentials after all.
  if (!succeeded)
    throw failed(helper, answer === undefined ? `it says: ${oneLine(output)}` : 'it failed');
  if (!isObject(answer)) throw failed(helper, 'its answer is not a JSON object');
  const { Username: username = '', Secret: secret = '' } = answer;
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw failed(helper, 'its answer holds no user name and secret');
  if (username === '' && secret === '') return undefined;
  return username === TOKEN_USER
    ? new Credentials('', '', secret)
    : new Credentials(username, secret);
}

/** Lets a helper keep credentials. @throws BundleError CONFIGURATION */
export async function storeInHelper(
  { helper, server }: HelperCall,
  { username, password }: Credentials,
  env: Environment,
): Promise<void> {
  const { succeeded } = await run(
    helper,
    'store',
    JSON.stringify({ ServerURL: server, Username: username, Secret: password }),
    env,
  );
  if (!succeeded) throw failed(helper, 'it could not store them');
}

/**
 * Lets a helper forget credentials; `false` where it had none. @throws BundleError CONFIGURATION
 */
export async function eraseFromHelper(
  { helper, server }: HelperCall,
  env: Environment,
): Promise<boolean> {
  const { succeeded, output } = await run(helper, 'erase', server, env);
  if (!succeeded && !output.includes(NOT_FOUND)) throw failed(helper, 'it could not erase them');
  return succeeded;
}

/**
 * Runs one action, without a shell. Its stderr is nobody's: what it says there could be anything.
 */
async function run(
  helper: string,
  action: string,
  input: string,
  env: Environment,
): Promise<Ended> {
  const program = `docker-credential-${helper}`;
  const child = spawn(program, [action], {
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  // Programs that the helper has started hold its pipe open: they are not waited for.
  const stop = (): void => {
    child.kill('SIGKILL');
    child.stdout.destroy();
  };
  // Not spawn's own timeout: that goes on, and keeps the program, where a helper cannot be started.
  const timer = setTimeout(stop, HELPER_MS);
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_HELPER_BYTES) chunks.push(chunk);
    else stop();
  });
  child.stdin.on('error', () => undefined); // it ended without reading: its status tells
  child.stdin.end(`${input}\n`);
  const { status, signal } = await new Promise<{ status: number | null; signal: string | null }>(
    (resolve, reject) => {
      child.on('error', (cause) => {
        const why =
          systemCode(cause) === 'ENOENT'
            ? 'it is not installed'
            : `it cannot be started: ${systemWords(cause)}`;
        reject(failed(helper, why, cause));
      });
      child.on('close', (code, killedBy) => {
        resolve({ status: code, signal: killedBy });
      });
    },
  ).finally(() => {
    clearTimeout(timer);
  });
  if (size > MAX_HELPER_BYTES) throw failed(helper, `it says more than ${MAX_HELPER_BYTES} bytes`);
  if (signal !== null) throw failed(helper, `it did not end within ${HELPER_MS / 1000} s`);
  return { succeeded: status === 0, output: Buffer.concat(chunks).toString('utf8') };
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function failed(helper: string, why: string, cause?: unknown): BundleError {
  return new BundleError(
    'CONFIGURATION',
    `cannot get credentials from docker-credential-${helper}: ${why}`,
    {
      cause,
      hint:
        'Check that the helper is installed and unlocked, or name an auth file without it: ' +
        '--authfile FILE.',
      subject: `docker-credential-${helper}`,
    },
  );
}
