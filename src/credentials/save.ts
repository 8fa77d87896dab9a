import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Credentials } from '../core/credentials.ts';
import { BundleError, systemCode } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { isObject, type JsonObject } from '../core/json.ts';
import { makeFolder } from '../files/folder.ts';
import { withLock } from '../files/lock.ts';
import { onDisk, writeInPlace, writeWhole } from '../files/write-whole.ts';
import { helperFor, type HelperCall, parseAuthFile, parseDocument } from './auth-entries.ts';
import { type AuthFileOptions, placesOf, readAuthFile } from './auth-file.ts';
import { eraseFromHelper, storeInHelper } from './helper.ts';

/**
 * Where credentials were put, or taken away: a file, or a helper program that the file names for
 * the registry.
 */
export interface Kept {
  readonly file: string;
  readonly helper?: string;
}

/** Where to keep credentials, and what ends the waiting for others who write there. */
export interface KeepOptions extends AuthFileOptions {
  readonly signal: AbortSignal;
}

/** To change the file takes a moment: who holds it longer hangs. */
const WAIT_MS = 30_000;

/**
 * Keeps credentials as `podman login` does: in `authfile`, `$REGISTRY_AUTH_FILE` or podman's file
 * of this session, under `key` (`quay.io`, `quay.io/a`), or in the helper that the file names for
 * the registry. The file is replaced at once, readable by nobody else; everything else in it stays,
 * also what another run adds at the same time. A file that is mounted by itself, as into a
 * container, cannot be replaced: it is written in place, and that is told.
 * @throws BundleError DISK, CONFIGURATION.
 */
export async function saveCredentials(
  key: string,
  credentials: Credentials,
  options: KeepOptions,
): Promise<Kept> {
  const { file, helper } = await load(key, options);
  if (helper) {
    await storeInHelper(helper, credentials, options.environment.env);
    return { file, helper: helper.helper };
  }
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
  await changeAuths(key, options, (auths) => ({ ...auths, [key]: { auth } }));
  return { file };
}

/**
 * Takes credentials away again; they are not `found` where there were none under exactly this key.
 * @throws BundleError DISK, CONFIGURATION
 */
export async function removeCredentials(
  key: string,
  options: KeepOptions,
): Promise<Kept & { readonly found: boolean }> {
  const { file, document, helper } = await load(key, options);
  if (helper)
    return {
      file,
      helper: helper.helper,
      found: await eraseFromHelper(helper, options.environment.env),
    };
  const isThere = isObject(document['auths']) && Object.hasOwn(document['auths'], key);
  if (!isThere) return { file, found: false };
  await changeAuths(key, options, (auths) =>
    Object.fromEntries(Object.entries(auths).filter(([other]) => other !== key)),
  );
  return { file, found: true };
}

interface Loaded {
  readonly file: string;
  readonly document: JsonObject;
  readonly helper: HelperCall | undefined;
}

async function load(
  key: string,
  options: Pick<AuthFileOptions, 'authfile' | 'environment'>,
): Promise<Loaded> {
  const { path } = placesOf(options)[0]!;
  const read = await readAuthFile(path, { mayBePipe: false }).catch((error: unknown) => {
    throw withWayOut(error);
  });
  const text = read ?? '{}';
  const helper = helperFor(parseAuthFile(text, path), key.split('/')[0]!);
  if (helper && key.includes('/')) {
    throw new BundleError(
      'CONFIGURATION',
      `${path} leaves the registry to docker-credential-${helper.helper}, ` +
        'which cannot store credentials for a path',
      {
        hint: `Name another file with --authfile, or log in to ${key.split('/')[0]!}.`,
      },
    );
  }
  return { file: path, document: parseDocument(text, path), helper };
}

/**
 * Changes the entries of the file. What another run writes meanwhile is not lost: each run reads
 * the file once more while it holds the lock.
 */
async function changeAuths(
  key: string,
  options: KeepOptions,
  change: (auths: JsonObject) => JsonObject,
): Promise<void> {
  const { path } = placesOf(options)[0]!;
  try {
    const real = await onDisk('write', path, async () => {
      await makeFolder(dirname(path), 0o700);
      return resolveLink(path);
    });
    const work = async (): Promise<void> => {
      const { document } = await load(key, options);
      const { auths } = document;
      const changed = { ...document, auths: change(isObject(auths) ? auths : {}) };
      await write(real, `${JSON.stringify(changed, null, '\t')}\n`, options.observe);
    };
    await withLock(real, options.signal, work, WAIT_MS);
  } catch (error) {
    throw withWayOut(error);
  }
}

function withWayOut(error: unknown): unknown {
  const isDenied =
    error instanceof BundleError &&
    ['EACCES', 'EPERM', 'EROFS'].includes(systemCode(error.cause) ?? '');
  return isDenied ? error.withHint('Name a file of your own with --authfile FILE.') : error;
}

async function write(path: string, text: string, observe: Observe): Promise<void> {
  try {
    await writeWhole(path, text, { mode: 0o600 });
  } catch (error) {
    if (!(error instanceof BundleError) || systemCode(error.cause) !== 'EBUSY') throw error;
    await writeInPlace(path, text);
    observe({ type: 'noticed', code: 'auth-file-in-place', path });
  }
}

/** A link to the file stays one. */
async function resolveLink(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return path;
    throw error;
  }
}
