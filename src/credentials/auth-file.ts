import { join } from 'node:path';
import { utf8 } from '../core/bytes.ts';
import { absolute, baseFolder, type Environment } from '../core/context.ts';
import { Credentials, type CredentialSource } from '../core/credentials.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { MAX_AUTH_FILE_BYTES } from '../core/limits.ts';
import type { Observe } from '../core/events.ts';
import type { RepositoryName } from '../core/reference.ts';
import { diskError, ofVariable, systemWords } from '../files/disk-error.ts';
import { ifThere } from '../files/look.ts';
import { readGivenFile, readSmallFile, withoutMark } from '../files/small-file.ts';
import { type AuthFile, findEntry, type HelperCall, parseAuthFile } from './auth-entries.ts';
import { getFromHelper } from './helper.ts';

export interface AuthFileOptions {
  /** The one file to use (`--authfile`): no other is looked at. */
  readonly authfile?: string | undefined;
  /**
   * Helper programs to ask besides, and among them `containers-auth.json` for the files
   * (`credential-helpers` of registries.conf).
   */
  readonly helpers?: readonly string[] | undefined;
  readonly environment: Environment;
  readonly observe: Observe;
}

/** The name for auth files in `credential-helpers`. */
export const AUTH_FILES = 'containers-auth.json';

/**
 * Opens the auth files that podman, skopeo and oc would use: `authfile` or `$REGISTRY_AUTH_FILE`
 * alone, else podman's of this session, podman's of the user, Docker's, and `.dockercfg`. In each
 * file the longest path that matches is taken; an earlier file wins over a later one. Files are
 * read once, now; helper programs run for registries that ask for credentials. A file that nobody
 * named and that cannot be read is told, and passed over: most runs need none of it. One that is
 * malformed fails the lookups that come to it.
 * @throws BundleError NOT_FOUND where a file that was named does not exist; DISK; CONFIGURATION if
 * it is malformed.
 */
export async function openAuthFiles(options: AuthFileOptions): Promise<CredentialSource> {
  const files: (AuthFile | BundleError)[] = [];
  const unread = new Map<string, string>();
  const places = placesOf(options);
  for (const { path, named, legacy, variable } of places) {
    try {
      const text = await readAuthFile(path, { mayBePipe: named });
      if (text !== undefined) files.push(parseAuthFile(text, path, legacy));
      else if (named)
        throw diskError('read the auth file', path, Object.assign(new Error(), { code: 'ENOENT' }));
    } catch (error) {
      if (!named && hasCode(error, 'CONFIGURATION')) files.push(error);
      else if (!named && hasCode(error, 'DISK')) {
        const cause = systemWords(error.cause);
        options.observe({ type: 'noticed', code: 'auth-file-not-read', path, cause });
        unread.set(path, cause);
      } else throw variable === undefined ? error : ofVariable(error, variable, LOGIN);
    }
  }
  // A file that was named is meant to be enough.
  const helpers = places[0]?.named === true ? [AUTH_FILES] : (options.helpers ?? [AUTH_FILES]);
  const looked = places.map(({ path }) => {
    const cause = unread.get(path);
    return cause === undefined ? path : `${path} (which cannot be read: ${cause})`;
  });
  return new AuthFiles(looked, files, helpers, options.environment.env);
}

class AuthFiles implements CredentialSource {
  readonly #places: readonly string[];
  readonly #files: readonly (AuthFile | BundleError)[];
  readonly #helpers: readonly string[];
  readonly #env: Environment['env'];
  readonly #asked = new Map<string, Promise<Credentials | undefined>>();
  /** With what went wrong. */
  readonly #helpersAsked = new Map<string, unknown>();

  constructor(
    places: readonly string[],
    files: readonly (AuthFile | BundleError)[],
    helpers: readonly string[],
    env: Environment['env'],
  ) {
    this.#places = places;
    this.#files = files;
    this.#helpers = helpers;
    this.#env = env;
  }

  get places(): readonly string[] {
    const helpers = [...this.#helpersAsked].map(
      ([helper, failure]) =>
        `docker-credential-${helper}${failure === undefined ? '' : ' (which failed)'}`,
    );
    return [...this.#places, ...helpers];
  }

  /**
   * What the configuration names for all registries, helpers and the files, may fail as long as
   * another of these places has the credentials.
   */
  async lookup(name: RepositoryName, refused?: Credentials): Promise<Credentials | undefined> {
    let failure: BundleError | undefined;
    for (const helper of this.#helpers) {
      try {
        const found =
          helper === AUTH_FILES
            ? await this.#inFiles(name, refused)
            : await this.#ask({ helper, server: name.registry }, refused);
        if (found) return found;
      } catch (error) {
        if (!hasCode(error, 'CONFIGURATION')) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  async #inFiles(
    name: RepositoryName,
    refused: Credentials | undefined,
  ): Promise<Credentials | undefined> {
    for (const file of this.#files) {
      if (file instanceof BundleError) throw file;
      const found = findEntry(file, name);
      if (found instanceof Credentials) return found;
      if (found === undefined) continue;
      try {
        const answer = await this.#ask(found, refused);
        if (answer) return answer;
      } catch (error) {
        // A helper for this very registry is meant; a store for all of them may be left over from
        // another installation.
        if (found.helper !== file.credsStore) throw error;
      }
    }
    return undefined;
  }

  /** Each helper is asked once for each registry, and again when what it gave is refused. */
  async #ask(call: HelperCall, refused: Credentials | undefined): Promise<Credentials | undefined> {
    const key = `${call.helper} ${call.server}`;
    const before = this.#asked.get(key);
    if (refused !== undefined && (await before) === refused && this.#asked.get(key) === before)
      this.#asked.delete(key);
    const asked = this.#asked.get(key) ?? getFromHelper(call, this.#env);
    this.#asked.set(key, asked);
    try {
      const answer = await asked;
      this.#helpersAsked.set(call.helper, undefined);
      return answer;
    } catch (error) {
      this.#helpersAsked.set(call.helper, error);
      throw error;
    }
  }
}

interface Place {
  readonly path: string;
  /** The user named this very file, so it has to be there. */
  readonly named: boolean;
  /** The variable that they named it with. */
  readonly variable?: string;
  readonly legacy: boolean;
}

const VARIABLE = 'REGISTRY_AUTH_FILE';

/** The command that makes an auth file. */
const LOGIN = 'bundle login REGISTRY';

/** Where credentials are looked for, in order; the first is where they are written. */
export function placesOf({
  authfile,
  environment: { env, home, uid },
}: Pick<AuthFileOptions, 'authfile' | 'environment'>): readonly Place[] {
  const typed = given(authfile);
  if (typed !== undefined) return [{ path: typed, named: true, legacy: false }];
  const set = given(env[VARIABLE]);
  if (set !== undefined) return [{ path: set, named: true, variable: VARIABLE, legacy: false }];
  const session = absolute(env['XDG_RUNTIME_DIR']);
  return [
    session === undefined
      ? `/run/containers/${uid}/auth.json`
      : join(session, 'containers/auth.json'),
    join(baseFolder({ env, home }, 'XDG_CONFIG_HOME'), 'containers/auth.json'),
    join(given(env['DOCKER_CONFIG']) ?? join(home, '.docker'), 'config.json'),
    join(home, '.dockercfg'),
  ].map((path, index) => ({ path, named: false, legacy: index === 3 }));
}

/** An empty variable is an unset one. */
function given(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

/**
 * The text of an auth file; `undefined` where there is none.
 * @param mayBePipe somebody has named it, and it is only read.
 * @throws BundleError DISK, CONFIGURATION
 */
export async function readAuthFile(
  path: string,
  { mayBePipe }: { readonly mayBePipe: boolean },
): Promise<string | undefined> {
  try {
    const reading = mayBePipe
      ? readGivenFile(path, MAX_AUTH_FILE_BYTES, 'the auth file')
      : readSmallFile(path, MAX_AUTH_FILE_BYTES, 'the auth file').then(withoutMark);
    const content = await ifThere(reading, ['ENOENT', 'ENOTDIR']);
    return content && utf8(content);
  } catch (error) {
    if (!hasCode(error, 'CONFIGURATION')) throw error;
    throw new BundleError('CONFIGURATION', error.message, { hint: error.hint, subject: path });
  }
}
