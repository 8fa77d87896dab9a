import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Credentials } from '../core/credentials.ts';
import { BundleError, systemCode } from '../core/errors.ts';
import { isObject, type JsonObject } from '../core/json.ts';
import { makeFolder } from '../files/folder.ts';
import { onDisk, writeWhole } from '../files/write-whole.ts';
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

/**
 * Keeps credentials as `podman login` does: in `authfile`, `$REGISTRY_AUTH_FILE` or podman's file
 * of this session, under `key` (`quay.io`, `quay.io/a`), or in the helper that the file names for
 * the registry. The file is replaced at once, readable by nobody else; everything else in it stays.
 * @throws BundleError DISK, CONFIGURATION.
 */
export async function saveCredentials(
  key: string,
  credentials: Credentials,
  options: AuthFileOptions,
): Promise<Kept> {
  const { file, document, helper } = await load(key, options);
  if (helper) {
    await storeInHelper(helper, credentials, options.environment.env);
    return { file, helper: helper.helper };
  }
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
  const { auths } = document;
  await replaceFile(file, {
    ...document,
    auths: { ...(isObject(auths) && auths), [key]: { auth } },
  });
  return { file };
}

/**
 * Takes credentials away again; they are not `found` where there were none under exactly this key.
 * @throws BundleError DISK, CONFIGURATION
 */
export async function removeCredentials(
  key: string,
  options: AuthFileOptions,
): Promise<Kept & { readonly found: boolean }> {
  const { file, document, helper } = await load(key, options);
  if (helper)
    return {
      file,
      helper: helper.helper,
      found: await eraseFromHelper(helper, options.environment.env),
    };
  const { auths } = document;
  if (!isObject(auths) || !Object.hasOwn(auths, key)) return { file, found: false };
  const rest = Object.fromEntries(Object.entries(auths).filter(([other]) => other !== key));
  await replaceFile(file, { ...document, auths: rest });
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
  const text = (await readAuthFile(path)) ?? '{}';
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

async function replaceFile(path: string, document: JsonObject): Promise<void> {
  try {
    const real = await onDisk('write', path, async () => {
      await makeFolder(dirname(path), 0o700);
      return resolveLink(path);
    });
    await writeWhole(real, `${JSON.stringify(document, null, '\t')}\n`, { mode: 0o600 });
  } catch (error) {
    const isDenied =
      error instanceof BundleError &&
      ['EACCES', 'EPERM', 'EROFS'].includes(systemCode(error.cause) ?? '');
    throw isDenied ? error.withHint('Name a file of your own with --authfile FILE.') : error;
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
