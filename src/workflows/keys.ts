import { hasCode } from '../core/errors.ts';
import { MAX_KEY_BYTES } from '../core/limits.ts';
import { readGivenFile } from '../files/small-file.ts';
import { refuseMissingFolder } from '../files/folder.ts';
import type { KeyType } from '../trust/key-types.ts';
import { SignerKey, SigningKey } from '../trust/keys.ts';
import type { Context } from '../core/context.ts';
import { trustedKeysOf } from '../opening/signers.ts';
import { ownKeyPath, saveKeyPair } from '../packing/signing-key.ts';

export interface KeygenRequest {
  readonly type: KeyType;
  /** Where the private key goes; the user's own key if it is left out. */
  readonly output: string | undefined;
  readonly passphrase: string | undefined;
}

export interface KeyReport {
  readonly id: string;
  readonly algorithm: string;
  readonly privatePath?: string;
  readonly publicPath?: string;
  /** The file that the key was read from. */
  readonly file?: string;
  /** Whether it is trusted on this host. */
  readonly isTrusted?: boolean;
  /** ISO 8601: when it was trusted. */
  readonly added?: string;
}

/** Makes a key pair; nothing is ever overwritten. */
export async function keygen(
  request: KeygenRequest,
  { configFolder }: Context,
): Promise<KeyReport> {
  if (request.output !== undefined) await refuseMissingFolder(request.output);
  const key = SigningKey.generate(request.type);
  const privatePath = request.output ?? ownKeyPath(configFolder);
  const publicPath = await saveKeyPair(key, privatePath, request.passphrase).catch(
    (error: unknown) => {
      const isHome = request.output === undefined && hasCode(error, 'DISK');
      throw isHome ? error.withHint('Name a file that you may write to: --out FILE.') : error;
    },
  );
  return { id: key.public.id, algorithm: key.public.algorithm, privatePath, publicPath };
}

/** Adds public keys to those whose bundles are accepted. */
export async function trustAdd(
  paths: readonly string[],
  context: Context,
): Promise<readonly KeyReport[]> {
  const trusted = trustedKeysOf(context);
  const keys = await readKeys(paths);
  const reports: KeyReport[] = [];
  for (const { key, file } of keys) {
    const added = (await trusted.add(key))?.toISOString();
    reports.push({ ...described(key), file, ...(added !== undefined && { added }) });
  }
  return reports;
}

/** What public keys are called, and whether they are trusted. Nothing is changed. */
export async function trustShow(
  paths: readonly string[],
  context: Context,
): Promise<readonly KeyReport[]> {
  const trusted = new Set((await trustedKeysOf(context).list()).map(({ id }) => id));
  const keys = await readKeys(paths);
  return keys.map(({ key, file }) => ({
    ...{ ...described(key), file, isTrusted: trusted.has(key.id) },
  }));
}

async function readKeys(
  paths: readonly string[],
): Promise<readonly { readonly file: string; readonly key: SignerKey }[]> {
  const keys = [];
  for (const file of paths)
    keys.push({ file, key: SignerKey.parse(await readGivenFile(file, MAX_KEY_BYTES), file) });
  return keys;
}

export async function trustList(context: Context): Promise<readonly KeyReport[]> {
  const entries = await trustedKeysOf(context).entries();
  return entries.map(({ key, added }) => ({ ...described(key), added: added.toISOString() }));
}

/**
 * @param id the key id, or its first 8 or more hex digits.
 * @returns how many keys are `left`, too: without any, bundles of every signer are accepted
 */
export async function trustRemove(
  id: string,
  context: Context,
): Promise<{ readonly removed: KeyReport; readonly left: number }> {
  const trusted = trustedKeysOf(context);
  const removed = described(await trusted.remove(id));
  return { removed, left: (await trusted.list()).length };
}

function described({ id, algorithm }: SignerKey): KeyReport {
  return { id, algorithm };
}
