import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Credentials } from '../core/credentials.ts';
import { BundleError, systemCode } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import type { JsonObject } from '../core/json.ts';
import { makeFolder } from '../files/folder.ts';
import { withLock } from '../files/lock.ts';
import { onDisk, writeInPlace, writeWhole } from '../files/write-whole.ts';
import {
  helperFor,
  type HelperCall,
  nameOfSetting,
  parseAuthFile,
  parseDocument,
} from './auth-entries.ts';
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
    if (key.includes('/')) throw leftToHelper(file, helper, key);
    await storeInHelper(helper, credentials, options.environment.env);
    return { file, helper: helper.helper };
  }
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
  await changeAuths(key, options, (auths) => ({ ...auths, [key]: { auth } }));
  return { file };
}

/**
 * Takes credentials away again, from the file and from the helper that it names for the registry;
 * they are not `found` where there were none under exactly this key.
 * @throws BundleError DISK, CONFIGURATION
 */
export async function removeCredentials(
  key: string,
  options: KeepOptions,
): Promise<Kept & { readonly found: boolean }> {
  const { file, auths, helper } = await load(key, options);
  // A helper knows registries, and no paths in them.
  const asked = key.includes('/') ? undefined : helper;
  const isErased = asked !== undefined && (await eraseFromHelper(asked, options.environment.env));
  const isThere = Object.hasOwn(auths, key);
  if (isThere)
    await changeAuths(key, options, (known) =>
      Object.fromEntries(Object.entries(known).filter(([other]) => other !== key)),
    );
  return { file, ...(asked && { helper: asked.helper }), found: isErased || isThere };
}

interface Loaded {
  readonly file: string;
  readonly document: JsonObject;
  /** The entries in it, and how it calls them. */
  readonly auths: JsonObject;
  readonly nameOfAuths: string;
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
  const parsed = parseAuthFile(text, path);
  const document = parseDocument(text, path);
  return {
    file: path,
    document,
    auths: parsed.auths,
    nameOfAuths: nameOfSetting(document, 'auths'),
    helper: helperFor(parsed, key.split('/')[0]!),
  };
}

function leftToHelper(file: string, { helper }: HelperCall, key: string): BundleError {
  return new BundleError(
    'CONFIGURATION',
    `${file} leaves the registry to docker-credential-${helper}, ` +
      'which cannot store credentials for a path',
    { hint: `Name another file with --authfile, or log in to ${key.split('/')[0]!}.` },
  );
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
      const { document, auths, nameOfAuths } = await load(key, options);
      const changed = { ...document, [nameOfAuths]: change(auths) };
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
