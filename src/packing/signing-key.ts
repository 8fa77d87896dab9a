import { randomUUID } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { BundleError, diskError, systemCode, writeError } from '../core/errors.ts';
import { SigningKey } from '../trust/keys.ts';
import { prepareFolder } from '../files/disk.ts';

export interface KeySource {
  /** A PEM file; without it the user's own key is used. */
  readonly keyFile?: string | undefined;
  /** Asked only for an encrypted key. */
  readonly passphrase: () => Promise<string | undefined>;
}

/**
 * What file systems answer that have no hard links, as FAT: what is written there is seen before it
 * is whole.
 */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** The user's own signing key. */
export function ownKeyPath(configFolder: string): string {
  return join(configFolder, 'signing-key.pem');
}

/**
 * Loads a signing key.
 * @returns `undefined` where no file was named and the user has no key of their own yet.
 * @throws BundleError CONFIGURATION, NOT_FOUND, DISK
 */
export async function loadSigningKey(
  source: KeySource,
  configFolder: string,
): Promise<SigningKey | undefined> {
  const path = source.keyFile ?? ownKeyPath(configFolder);
  let pem: string;
  try {
    pem = await readFile(path, 'utf8');
  } catch (error) {
    if (source.keyFile === undefined && systemCode(error) === 'ENOENT') return undefined;
    throw diskError('read', path, error);
  }
  return SigningKey.parse(
    pem,
    path,
    SigningKey.isEncrypted(pem) ? await source.passphrase() : undefined,
  );
}

/** Makes the user's own key, as ssh makes a host key on first use. */
export async function makeOwnKey(configFolder: string): Promise<SigningKey> {
  const key = SigningKey.generate('ecdsa-p256');
  await saveKeyPair(key, ownKeyPath(configFolder), undefined);
  return key;
}

/**
 * Writes `path` (private, 0600) and beside it the public key (`.pub` in place of `.pem`). Nothing
 * is ever overwritten.
 * @returns the path of the public key.
 * @throws BundleError USAGE when one of the files exists; DISK
 */
export async function saveKeyPair(
  key: SigningKey,
  path: string,
  passphrase: string | undefined,
): Promise<string> {
  const publicPath = `${path.replace(/\.pem$/, '')}.pub`;
  try {
    await prepareFolder(dirname(path), 0o700);
    await writeNew(path, key.pem(passphrase), 0o600);
    await writeNew(publicPath, key.public.pem, 0o644);
  } catch (error) {
    if (error instanceof BundleError) throw error;
    if (systemCode(error) === 'EEXIST') {
      throw new BundleError('USAGE', `${path} or its public key exists already`, {
        cause: error,
        hint: 'Keys are never overwritten: choose another name.',
      });
    }
    throw writeError('write', path, error);
  }
  return publicPath;
}

/** Whoever finds the file finds it whole: it gets its name when its content is there. */
async function writeNew(path: string, content: string, mode: number): Promise<void> {
  const partial = `${path}.${randomUUID()}`;
  try {
    await writeTo(partial, content, mode);
    await link(partial, path);
  } catch (error) {
    if (!NO_LINKS.has(systemCode(error) ?? '')) throw error;
    await writeTo(path, content, mode);
  } finally {
    await rm(partial, { force: true });
  }
}

async function writeTo(path: string, content: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
