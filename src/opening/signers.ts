import { basename, dirname, join } from 'node:path';

import type { SealedBundle } from '../bundle/reading/sealed.ts';
import { decodeSignatureFile } from '../bundle/format/signature-file.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { MAX_KEY_BYTES } from '../core/limits.ts';
import { counted } from '../core/text.ts';
import { listFolder } from '../files/folder.ts';
import { ifThere } from '../files/look.ts';
import { readGivenFile, readSmallFile } from '../files/small-file.ts';
import { SignerKey } from '../trust/keys.ts';
import { TrustedKeys } from '../trust/trusted-keys.ts';
import type { Context } from '../core/context.ts';
import { stemOf } from '../bundle/format/names.ts';

/** How a bundle's signer is known here. */
export type SignerStanding =
  /** Trusted by this user or this command line. */
  | 'trusted'
  /** This user's own signing key. */
  | 'own'
  /** Not trusted here themselves; somebody who is has signed the bundle too. */
  | 'countersigned'
  /** Nobody is trusted here yet; the content is proven by the release signature alone. */
  | 'unknown';

export interface Signers {
  /** The key that the bundle names and that signed it. */
  readonly signer: SignerKey;
  readonly standing: SignerStanding;
  /** Trusted keys that have signed the same listing afterwards, in files beside the bundle. */
  readonly countersigners: readonly SignerKey[];
  /** Signature files beside the bundle that nobody could check, since their keys are not known. */
  readonly uncheckedSignatures: readonly UncheckedSignature[];
}

/** A signature beside a bundle, by a key that is not known here. */
export interface UncheckedSignature {
  readonly path: string;
  /** The first 16 digits of the key id, as the name of the file says. */
  readonly shortId: string;
}

export interface SignerRequest {
  /** PEM files of signers that are trusted for this run. */
  readonly trustedKeyFiles: readonly string[];
  /** How many distinct trusted signers there have to be. */
  readonly signatures?: number | undefined;
}

/** Where the keys of trusted signers are kept. */
export function trustedKeysOf({ configFolder }: Context): TrustedKeys {
  return new TrustedKeys(join(configFolder, 'trusted-keys'));
}

/**
 * Checks every signature that a bundle has from a known key, and decides whether its signers are
 * believed here.
 * @param path what the bundle is called; `undefined` where nothing can lie beside it.
 * @throws BundleError SIGNATURE_INVALID; SIGNER_UNKNOWN; TOO_FEW_SIGNERS
 */
export async function checkSigners(
  sealed: SealedBundle,
  path: string | undefined,
  request: SignerRequest,
  context: Context,
): Promise<Signers> {
  const signer = readSigner(sealed);
  const trusted = await trustedKeys(request.trustedKeyFiles, context);
  const own = await ownPublicKey(context);
  const isTrusted = trusted.some(({ id }) => id === signer.id);
  const known = [...trusted, ...(own ? [own] : [])];
  const beside =
    path === undefined
      ? { signers: [], unchecked: [] }
      : await readCountersigners(sealed, path, known);
  const countersigners = beside.signers.filter(({ id }) => id !== signer.id);
  const unchecked = beside.unchecked.filter(({ shortId }) => shortId !== signer.shortId);
  const believed = new Set([
    ...(isTrusted || own?.id === signer.id ? [signer.id] : []),
    ...countersigners.map(({ id }) => id),
  ]);
  if (believed.size === 0 && trusted.length > 0) throw otherSigner(signer, request.trustedKeyFiles);
  if (request.signatures !== undefined && believed.size < request.signatures) {
    throw new BundleError(
      'TOO_FEW_SIGNERS',
      `the bundle has ${believed.size} trusted ${believed.size === 1 ? 'signer' : 'signers'}, ` +
        `but --signatures asks for ${request.signatures}`,
      {
        expected: String(request.signatures),
        got: String(believed.size),
        hint: moreSigners(
          believed.has(signer.id) ? undefined : signer,
          unchecked,
          request.signatures - believed.size,
        ),
      },
    );
  }
  const uncheckedSignatures = unchecked;
  return { signer, standing: standingOf(), countersigners, uncheckedSignatures };

  function standingOf(): SignerStanding {
    if (isTrusted) return 'trusted';
    if (own?.id === signer.id) return 'own';
    return believed.size > 0 ? 'countersigned' : 'unknown';
  }
}

/**
 * What to do where too few of those who are trusted have signed: first about signatures that are
 * there, and whose keys are not trusted.
 * @param packer if not trusted.
 */
function moreSigners(
  packer: SignerKey | undefined,
  unchecked: readonly UncheckedSignature[],
  lacking: number,
): string {
  const untrusted = [
    ...(packer === undefined ? [] : [`the signature of the packer, whose key is ${packer.id}`]),
    ...unchecked.map(({ path }) => basename(path)),
  ];
  const { length } = untrusted;
  const keys = length === 1 ? 'its key is' : 'their keys are';
  const trust =
    `Not counted, since ${keys} not trusted here: ${untrusted.join('; ')}. Compare the key ` +
    `${length === 1 ? 'id' : 'ids'} with what you got out of band. If equal, trust the ` +
    `${length === 1 ? 'key' : 'keys'}:\n  bundle trust add KEY.pub\n`;
  const more =
    `${counted(lacking - length, 'other person has', 'other people have')} to sign the bundle with ` +
    'bundle sign. Put each .sig file beside the bundle, and trust its key with bundle trust add.';
  return [length > 0 ? trust : '', lacking > length ? more : ''].join('').trimEnd();
}

export function unknownSigner(signer: SignerKey, why: string): BundleError {
  return new BundleError(
    'SIGNER_UNKNOWN',
    `the signer of the bundle (${signer.algorithm}) ${why}`,
    {
      got: signer.id,
      hint:
        'Compare the key id with the one that the packer gave you out of band. ' +
        'If they are equal, trust the key:\n  bundle trust add KEY.pub',
    },
  );
}

/**
 * Others than this signer are trusted. A key does not say what it is for: somebody who has the keys
 * of packers and those of sites may have given one of the wrong sort.
 */
function otherSigner(signer: SignerKey, files: readonly string[]): BundleError {
  const error = unknownSigner(signer, 'is not one of the keys that are trusted on this host');
  if (files.length === 0) return error;
  return error.withHint(
    `The key in ${files.join(', ')} is another one. Wanted is the bundle key of the packer. A key ` +
      `that a site signs its receipts with proves receipts, and no bundle. ${error.hint!}`,
  );
}

/** `NAME.<first 16 hex of the key id>.sig`, beside the bundle. */
export function countersignaturePath(bundle: string, key: SignerKey): string {
  return join(dirname(bundle), `${stemOf(bundle)}.${key.shortId}.sig`);
}

/** All keys that are believed here: those that are trusted, and the user's own. */
export async function believedKeys(
  files: readonly string[],
  context: Context,
): Promise<readonly SignerKey[]> {
  const own = await ownPublicKey(context);
  return [...(await trustedKeys(files, context)), ...(own ? [own] : [])];
}

/** The signer that the bundle names, whose signature must be good whoever they are. */
function readSigner(sealed: SealedBundle): SignerKey {
  let signer: SignerKey;
  try {
    signer = SignerKey.parse(sealed.publicKey, 'the key that the bundle names');
  } catch (cause) {
    if (!(cause instanceof BundleError)) throw cause;
    throw new BundleError('SIGNATURE_INVALID', cause.message, {
      cause,
      hint: 'Do not use this bundle.',
    });
  }
  signer.verify(sealed.sums, sealed.signature);
  return signer;
}

async function trustedKeys(
  files: readonly string[],
  context: Context,
): Promise<readonly SignerKey[]> {
  const trusted = [...(await trustedKeysOf(context).list())];
  for (const path of files)
    trusted.push(SignerKey.parse(await readGivenFile(path, MAX_KEY_BYTES), path));
  return trusted;
}

/** The public half of the user's own key: to recognise what they packed themselves. */
async function ownPublicKey({ configFolder }: Context): Promise<SignerKey | undefined> {
  const path = join(configFolder, 'signing-key.pub');
  const content = await ifThere(readSmallFile(path, MAX_KEY_BYTES));
  return content && SignerKey.parse(content, path);
}

/**
 * Signature files of keys that nobody here knows say nothing; one of a known key has to be good.
 */
async function readCountersigners(
  sealed: SealedBundle,
  path: string,
  known: readonly SignerKey[],
): Promise<{
  readonly signers: readonly SignerKey[];
  readonly unchecked: readonly UncheckedSignature[];
}> {
  const prefix = `${stemOf(path)}.`;
  const found = new Map<string, SignerKey>();
  const unchecked = new Map<string, UncheckedSignature>();
  for (const folder of new Set([path, ...sealed.paths].map(dirname))) {
    for (const name of await signatureFiles(folder, prefix)) {
      const key = known.find(({ shortId }) => name === `${prefix}${shortId}.sig`);
      const file = join(folder, name);
      const shortId = name.slice(prefix.length, -'.sig'.length);
      if (key === undefined) {
        if (/^[0-9a-f]{16}$/.test(shortId)) unchecked.set(shortId, { path: file, shortId });
        continue;
      }
      checkCountersignature(await readSmallFile(file, MAX_KEY_BYTES), file, key, sealed);
      found.set(key.id, key);
    }
  }
  return { signers: [...found.values()], unchecked: [...unchecked.values()] };
}

/** The bundle may be good: what is wrong is a file beside it. */
function checkCountersignature(
  content: Uint8Array,
  path: string,
  key: SignerKey,
  sealed: SealedBundle,
): void {
  const signature = decodeSignatureFile(content);
  if (signature === undefined) {
    throw new BundleError('SIGNATURE_INVALID', `${path} is not base64 on one line`, {
      hint: REMOVE_SIGNATURE,
    });
  }
  try {
    key.verify(sealed.sums, signature);
  } catch (error) {
    if (!hasCode(error, 'SIGNATURE_INVALID')) throw error;
    throw new BundleError(
      'SIGNATURE_INVALID',
      `${path} is no signature of this bundle by the key ${key.id}`,
      { cause: error, hint: REMOVE_SIGNATURE },
    );
  }
}

const REMOVE_SIGNATURE =
  'The file is not a part of the bundle. It may belong to another one, or be damaged: move it ' +
  'away, or have the bundle signed again with bundle sign.';

async function signatureFiles(folder: string, prefix: string): Promise<readonly string[]> {
  const names = await listFolder(folder);
  return names.filter((name) => name.startsWith(prefix) && name.endsWith('.sig'));
}
