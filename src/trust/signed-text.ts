import { type PublicKey, readCleartextMessage, readKeys, verify } from 'openpgp';

import { BundleError } from '../core/errors.ts';
import { oneLine } from '../core/text.ts';

/** OpenPGP keys of signers that somebody trusts. */
export type Keyring = readonly PublicKey[];

/** A signed text whose signature was found good. */
export interface SignedText {
  readonly text: string;
  /** Fingerprint of the key, in upper case. */
  readonly signer: string;
  /** The key's first user id. */
  readonly keyName: string;
}

/**
 * The OpenPGP keys of a keyring, as GnuPG exports it: binary, or armored.
 * @param what it is, for messages.
 * @throws BundleError CONFIGURATION for what is no keyring.
 */
export async function readKeyring(bytes: Uint8Array, what: string): Promise<Keyring> {
  const isArmored = Buffer.from(bytes.subarray(0, 64)).toString('latin1').includes('-----BEGIN');
  try {
    const keys = isArmored
      ? await readKeys({ armoredKeys: Buffer.from(bytes).toString('utf8') })
      : await readKeys({ binaryKeys: bytes });
    if (keys.length > 0) return keys.map((key) => key.toPublic());
    throw new Error('it holds no key');
  } catch (cause) {
    throw new BundleError('CONFIGURATION', `${what} is no keyring`, {
      cause,
      hint: 'Export the keys of the signers: gpg --export KEY > keyring.gpg',
    });
  }
}

/**
 * Checks a text with a cleartext signature (RFC 9580 section 7): made by a key of the keyring, and
 * good at `now`.
 * @param what is signed, for messages.
 * @throws BundleError SIGNATURE_INVALID, SIGNER_UNKNOWN
 */
export async function verifySignedText(
  signed: Uint8Array,
  { keys, what, now }: { readonly keys: Keyring; readonly what: string; readonly now: Date },
): Promise<SignedText> {
  const invalid = (why: string, cause?: unknown): BundleError =>
    new BundleError('SIGNATURE_INVALID', `${what} proves nothing: ${why}`, {
      ...{ cause, hint: 'Fetch it again. If it stays so, ask its publisher.' },
    });
  const message = await readCleartextMessage({
    cleartextMessage: Buffer.from(signed).toString('utf8'),
  }).catch((cause: unknown) => {
    throw invalid('it is no signed text', cause);
  });
  const verificationKeys = [...keys];
  const { signatures } = await verify({ message, verificationKeys, date: now });
  const [signature] = signatures;
  if (signature === undefined) throw invalid('it has no signature');
  const id = signature.keyID.toHex().toUpperCase();
  const key = keys.find((one) => one.getKeys(signature.keyID).length > 0);
  if (key === undefined) {
    throw new BundleError(
      'SIGNER_UNKNOWN',
      `${what} is signed with the key ${id}, which the keyring does not hold`,
      { hint: 'Get the key from the publisher, compare it, and add it to the keyring.' },
    );
  }
  await signature.verified.catch((cause: unknown) => {
    throw invalid(cause instanceof Error ? oneLine(cause.message) : 'its signature is bad', cause);
  });
  return {
    text: message.getText(),
    signer: key.getFingerprint().toUpperCase(),
    keyName: oneLine(key.getUserIDs()[0] ?? '', 200),
  };
}
