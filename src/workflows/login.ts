import { dirname } from 'node:path';

import { Credentials } from '../core/credentials.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { isRegistry, isRepository } from '../core/reference.ts';
import { placesOf } from '../credentials/auth-file.ts';
import { removeCredentials, saveCredentials } from '../credentials/save.ts';
import { RegistryClient } from '../stores/registry/client.ts';
import type { Context } from '../core/context.ts';
import { prepareFolder } from '../files/folder.ts';
import { type ConnectionOptions, transportOptions } from '../network/network.ts';

export interface LogoutRequest {
  /** `REGISTRY[/PATH]`. */
  readonly place: string;
  /** Instead of where podman would write. */
  readonly authfile: string | undefined;
}

export interface LoginRequest extends LogoutRequest {
  readonly username: string;
  readonly password: string;
  readonly connection: ConnectionOptions;
}

export interface LoginReport {
  readonly place: string;
  readonly username: string;
  /** The auth file, and the helper that it names for the registry. */
  readonly file: string;
  readonly helper: string | undefined;
  /** `false` where the registry asks nobody for credentials. */
  readonly checked: boolean;
}

/**
 * Meets the registry before anybody is asked for a password: what answers has to be a registry, and
 * TLS has to be right.
 * @throws BundleError USAGE, NETWORK, REGISTRY
 */
export async function meetRegistry(
  place: string,
  connection: ConnectionOptions,
  context: Context,
): Promise<void> {
  await withClient(connection, context, async (client) => {
    await client.meet(registryOf(parsePlace(place)));
  });
}

/** Shows credentials to a registry, and keeps them where podman would if they are accepted. */
export async function login(
  { username, password, authfile, connection, ...request }: LoginRequest,
  context: Context,
): Promise<LoginReport> {
  const place = parsePlace(request.place);
  const credentials = new Credentials(username, password);
  const checked = await withClient(connection, context, async (client) =>
    check(client, registryOf(place), credentials),
  );
  const { environment, signal, observe } = context;
  const options = { authfile, environment, signal, observe };
  await prepare(placesOf(options)[0]!.path);
  const { file, helper } = await saveCredentials(place, credentials, options);
  return { place, username, file, helper, checked };
}

/** @throws BundleError NOT_FOUND where nothing is kept for exactly this place. */
export async function logout(
  request: LogoutRequest,
  { environment, signal, observe }: Context,
): Promise<{ place: string; file: string }> {
  const place = parsePlace(request.place);
  const removed = await removeCredentials(place, {
    authfile: request.authfile,
    environment,
    signal,
    observe,
  });
  if (removed.found) return { place, file: removed.file };
  throw new BundleError('NOT_FOUND', `${removed.file} holds no credentials for ${place}`, {
    hint:
      'Give the same place as for bundle login. If the credentials are in another file, ' +
      'name it with --authfile FILE.',
  });
}

async function check(
  client: RegistryClient,
  registry: string,
  credentials: Credentials,
): Promise<boolean> {
  try {
    return await client.tryCredentials(registry, credentials);
  } catch (error) {
    if (!hasCode(error, 'NOT_ALLOWED')) throw error;
    throw new BundleError('NOT_ALLOWED', error.message, {
      hint:
        'Check user name and password; nothing was stored. ' +
        'Some registries want a token or a robot account instead of the password.',
    });
  }
}

async function withClient<T>(
  connection: ConnectionOptions,
  context: Context,
  work: (client: RegistryClient) => Promise<T>,
): Promise<T> {
  const nobody = { lookup: async () => undefined, places: [] };
  const transport = await transportOptions(connection, context);
  const client = new RegistryClient({ ...transport, credentials: nobody });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Makes the folder of the auth file. @throws BundleError DISK */
async function prepare(file: string): Promise<void> {
  try {
    await prepareFolder(dirname(file), 0o700);
  } catch (error) {
    if (!hasCode(error, 'DISK')) throw error;
    throw error.withHint('Name an auth file in a folder that you may write to: --authfile FILE.');
  }
}

function registryOf(place: string): string {
  return place.split('/')[0]!;
}

/** As it stands in an auth file; people write `https://` and `docker://` before it. */
function parsePlace(text: string): string {
  const place = text.replace(/^(?:https?|docker):\/\//, '').replace(/\/+$/, '');
  const [registry = '', ...path] = place.split('/');
  if (isRegistry(registry) && (path.length === 0 || isRepository(path.join('/')))) return place;
  throw new BundleError('USAGE', `not a registry: ${text}`, {
    hint: 'Write HOST[:PORT], or HOST[:PORT]/PATH for credentials of that path alone.',
  });
}
