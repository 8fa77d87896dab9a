import { dirname, join } from 'node:path';

import type { Seal } from '../bundle/format/plan.ts';
import { encodeSignatureFile } from '../bundle/format/signature-file.ts';
import { utf8 } from '../core/bytes.ts';
import type { Context } from '../core/context.ts';
import { BundleError, hasCode, systemCode } from '../core/errors.ts';
import { shellWord } from '../core/text.ts';
import { ofVariable, writeError } from '../files/disk-error.ts';
import { MAX_KEY_BYTES } from '../core/limits.ts';
import type { KeyType } from '../trust/key-types.ts';
import { SigningKey } from '../trust/keys.ts';
import { prepareFolder } from '../files/folder.ts';
import { ifThere, isLink, isThere } from '../files/look.ts';
import { readGivenFile, readSmallFile } from '../files/small-file.ts';
import { writeNew } from '../files/write-whole.ts';

export interface KeySource {
  /** A PEM file; without it the user's own key is used. */
  readonly keyFile?: string | undefined;
  /** The variable that names the file, if nobody typed its path. */
  readonly variable?: string | undefined;
  /** Asked only for an encrypted key. */
  readonly passphrase: () => Promise<string | undefined>;
}

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
  const content =
    source.keyFile === undefined
      ? await ifThere(readSmallFile(path, MAX_KEY_BYTES))
      : await readGivenFile(path, MAX_KEY_BYTES).catch((error: unknown) => {
          throw source.variable === undefined
            ? error
            : ofVariable(error, source.variable, `bundle keygen --out ${shellWord(path)}`);
        });
  if (content === undefined) {
    await refuseLink(path);
    return undefined;
  }
  const pem = utf8(content);
  return SigningKey.parse(
    pem,
    path,
    SigningKey.isEncrypted(pem) ? await source.passphrase() : undefined,
  );
}

/**
 * A link that leads nowhere is somebody's: a key may be meant that is not mounted.
 * @throws BundleError CONFIGURATION
 */
async function refuseLink(path: string): Promise<void> {
  if (!(await isLink(path)) || (await isThere(path))) return;
  throw new BundleError('CONFIGURATION', `${path} is a link that leads nowhere`, {
    expected: 'a file, or nothing',
    got: 'a symbolic link to a file that does not exist',
    hint: 'Bring back the file that it leads to, or remove the link.',
  });
}

/** The kind of key that is made on first use; a dry run plans with it and makes none. */
const OWN_KEY_TYPE: KeyType = 'ecdsa-p256';

const NO_HOME =
  'The first pack makes a signing key in your home folder. Name a key with --key FILE, or set HOME ' +
  'to a folder that you may write to.';

/** A key to sign with. */
export interface Signing {
  readonly key: SigningKey;
  /** The key was made for this run: kept from now on, or only planned with. */
  readonly made: 'now' | 'planned' | undefined;
}

/**
 * A key for somebody who has none, as ssh makes a host key on first use.
 * @param source to look for a key once more, which another run may have made meanwhile.
 * @throws BundleError DISK; USAGE where a public key is left of an earlier pair.
 */
export async function firstKey(
  source: KeySource,
  dryRun: boolean,
  { configFolder, observe }: Context,
): Promise<Signing> {
  const key = SigningKey.generate(OWN_KEY_TYPE);
  const path = ownKeyPath(configFolder);
  if (dryRun) {
    await refuseLonePublicKey(path);
    return { key, made: 'planned' };
  }
  try {
    await saveKeyPair(key, path, undefined);
  } catch (error) {
    const other = hasCode(error, 'USAGE') ? await loadSigningKey(source, configFolder) : undefined;
    if (other === undefined) throw hasCode(error, 'DISK') ? error.withHint(NO_HOME) : error;
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
  const publicPath = publicPathOf(path);
  let writing = path;
  try {
    await prepareFolder(dirname(path), 0o700);
    await refuseLonePublicKey(path);
    await writeNew(path, key.pem(passphrase), 0o600);
    writing = publicPath;
    await writeNew(publicPath, key.public.pem, 0o644);
  } catch (error) {
    if (error instanceof BundleError) throw error;
    if (systemCode(error) === 'EEXIST') {
      await refuseLink(path);
      await refuseLink(publicPath);
      throw new BundleError('USAGE', `${writing} exists already`, {
        cause: error,
        hint: 'Keys are never overwritten: bundle keygen --out FILE makes one in another file.',
      });
    }
    throw writeError('write', path, error);
  }
  return publicPath;
}

function publicPathOf(path: string): string {
  return `${path.replace(/\.pem$/, '')}.pub`;
}

/**
 * Beside a new private key, the public key of an older one would be handed to others as if it
 * were its own.
 * @throws BundleError USAGE, DISK
 */
async function refuseLonePublicKey(path: string): Promise<void> {
  const publicPath = publicPathOf(path);
  // In this order: other runs that make the same pair write the private key first.
  if (!(await isAnythingAt(publicPath)) || (await isAnythingAt(path))) return;
  throw new BundleError('USAGE', `${publicPath} is there, but its private key ${path} is not`, {
    hint:
      `Put ${path} back from a copy; or move ${publicPath} away, ` +
      'and the next run makes a new pair of keys.',
  });
}

async function isAnythingAt(path: string): Promise<boolean> {
  return (await isThere(path)) || (await isLink(path));
}
