import { randomUUID } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Seal } from '../bundle/format/plan.ts';
import { encodeSignatureFile } from '../bundle/format/signature-file.ts';
import type { Context } from '../core/context.ts';
import { BundleError, diskError, hasCode, systemCode, writeError } from '../core/errors.ts';
import { type KeyType, SigningKey } from '../trust/keys.ts';
import { prepareFolder } from '../files/folder.ts';

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

/** The kind of key that is made on first use; a dry run plans with it and makes none. */
const OWN_KEY_TYPE: KeyType = 'ecdsa-p256';

/** A key to sign with. */
export interface Signing {
  readonly key: SigningKey;
  /** The key was made for this run: kept from now on, or only planned with. */
  readonly made: 'now' | 'planned' | undefined;
}

/**
 * A key for somebody who has none, as ssh makes a host key on first use.
 * @param source to look for a key once more, which another run may have made meanwhile.
 * @throws BundleError DISK
 */
export async function firstKey(
  source: KeySource,
  dryRun: boolean,
  { configFolder, observe }: Context,
): Promise<Signing> {
  const key = SigningKey.generate(OWN_KEY_TYPE);
  if (dryRun) return { key, made: 'planned' };
  const path = ownKeyPath(configFolder);
  try {
    await saveKeyPair(key, path, undefined);
  } catch (error) {
    const other = hasCode(error, 'USAGE') ? await loadSigningKey(source, configFolder) : undefined;
    if (other === undefined) throw error;
    return { key: other, made: undefined };
  }
  const { algorithm, id: keyId } = key.public;
  observe({ type: 'noticed', code: 'made-signing-key', path, algorithm, keyId });
  return { key, made: 'now' };
}

export function sealWith(key: SigningKey, signature: Uint8Array): Seal {
  return { signature: encodeSignatureFile(signature), publicKey: Buffer.from(key.public.pem) };
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
