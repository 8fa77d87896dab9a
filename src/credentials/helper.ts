import { Credentials } from '../core/credentials.ts';
import { BundleError, systemCode } from '../core/errors.ts';
import { isObject, type Json } from '../core/json.ts';
import { MAX_HELPER_BYTES } from '../core/limits.ts';
import { oneLine } from '../core/text.ts';
import { systemWords } from '../files/disk-error.ts';
import { runProgram } from '../programs/run.ts';
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
  if (username.includes(':')) throw failed(helper, 'the user name in its answer has a colon');
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
 * Runs one action. What a helper says on stderr is nobody's: it could be anything.
 */
async function run(
  helper: string,
  action: string,
  input: string,
  env: Environment,
): Promise<Ended> {
  const { status, output, fault } = await runProgram({
    program: `docker-credential-${helper}`,
    args: [action],
    env,
    input: { text: `${input}\n` },
    stderr: 'nobody',
    limit: MAX_HELPER_BYTES,
    patienceMs: HELPER_MS,
  }).catch((cause: unknown) => {
    const why =
      systemCode(cause) === 'ENOENT'
        ? 'it is not installed'
        : `it cannot be started: ${systemWords(cause)}`;
    throw failed(helper, why, cause);
  });
  if (fault === 'late') throw failed(helper, `it did not end within ${HELPER_MS / 1000} s`);
  if (fault === 'held')
    throw failed(helper, 'it has ended, and a program that it started keeps its output open');
  if (fault !== undefined) throw failed(helper, `it says more than ${MAX_HELPER_BYTES} bytes`);
  if (status === null) throw failed(helper, 'a signal ended it');
  return { succeeded: status === 0, output };
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
