import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { readAll, utf8 } from '../core/bytes.ts';
import type { Credentials, CredentialSource } from '../core/credentials.ts';
import { BundleError, diskError, systemCode } from '../core/errors.ts';
import { MAX_AUTH_FILE_BYTES } from '../core/limits.ts';
import type { RepositoryName } from '../core/reference.ts';
import { type AuthEntries, findEntry, parseAuthFile } from './auth-entries.ts';

/** What of the process decides where auth files are. */
export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly uid: number;
}

export interface AuthFileOptions {
  /** The one file to use (`--authfile`): no other is looked at. */
  readonly authfile?: string | undefined;
  readonly environment: Environment;
}

/**
 * Opens the auth files that podman, skopeo and oc would use: `authfile` or `$REGISTRY_AUTH_FILE` alone, else podman's
 * of this session, podman's of the user, Docker's, and `.dockercfg`. In each file the longest path that matches is
 * taken; an earlier file wins over a later one. Files are read once, now.
 * @throws BundleError NOT_FOUND where a file that was named does not exist; DISK; CONFIGURATION for malformed ones.
 */
export async function openAuthFiles(options: AuthFileOptions): Promise<CredentialSource> {
  const files: AuthEntries[] = [];
  const places = placesOf(options);
  for (const { path, named, legacy } of places) {
    const text = await readAuthFile(path, named);
    if (text !== undefined) files.push(parseAuthFile(text, path, legacy));
  }
  return {
    places: places.map(({ path }) => path),
    async lookup(name: RepositoryName): Promise<Credentials | undefined> {
      for (const entries of files) {
        const found = findEntry(entries, name);
        if (found) return found;
      }
      return undefined;
    },
  };
}

interface Place {
  readonly path: string;
  /** The user named this very file, so it has to be there. */
  readonly named: boolean;
  readonly legacy: boolean;
}

function placesOf({ authfile, environment: { env, home, uid } }: AuthFileOptions): readonly Place[] {
  const only = given(authfile) ?? given(env['REGISTRY_AUTH_FILE']);
  if (only !== undefined) return [{ path: only, named: true, legacy: false }];
  const session = given(env['XDG_RUNTIME_DIR']);
  return [
    session === undefined ? `/run/containers/${uid}/auth.json` : join(session, 'containers/auth.json'),
    join(given(env['XDG_CONFIG_HOME']) ?? join(home, '.config'), 'containers/auth.json'),
    join(given(env['DOCKER_CONFIG']) ?? join(home, '.docker'), 'config.json'),
    join(home, '.dockercfg'),
  ].map((path, index) => ({ path, named: false, legacy: index === 3 }));
}

/** An empty variable is an unset one. */
function given(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

async function readAuthFile(path: string, named: boolean): Promise<string | undefined> {
  try {
    // A stream: the path may be a pipe, as in --authfile <(vault read …).
    return utf8(await readAll(createReadStream(path), MAX_AUTH_FILE_BYTES, `the auth file ${path}`));
  } catch (cause) {
    if (cause instanceof BundleError) throw new BundleError('CONFIGURATION', cause.message, { subject: path });
    if (!named && ['ENOENT', 'ENOTDIR'].includes(systemCode(cause) ?? '')) return undefined;
    throw diskError('read the auth file', path, cause);
  }
}
