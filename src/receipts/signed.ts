import { BundleError, hasCode } from '../core/errors.ts';
import type { SignerKey, SigningKey } from '../trust/keys.ts';
import { formatReceipt, parseReceipt, type Receipt } from './receipt.ts';

/** A receipt and the signature over its bytes, which nobody may have checked yet. */
export interface SignedReceipt {
  readonly receipt: Receipt;
  /** As {@link formatReceipt} makes it. */
  readonly bytes: Uint8Array;
  /** In the form of the signatures of bundles: DER, PKCS#1 v1.5 or that of Ed25519. */
  readonly signature: Uint8Array;
}

/** A receipt whose signature is good, and the key that made it. */
export interface CheckedReceipt extends SignedReceipt {
  readonly signer: SignerKey;
}

// The signed bytes stand alone between two lines, so that `sed '1d;$d'` gives what openssl checks.
const FIRST = Buffer.from('{"receipt":\n');
const LAST = /^,"signature":"([A-Za-z0-9+/]+={0,2})"\}\n$/;

export function signReceipt(receipt: Omit<Receipt, 'signer'>, key: SigningKey): CheckedReceipt {
  const signed: Receipt = { ...receipt, signer: key.public.id };
  const bytes = formatReceipt(signed);
  return { receipt: signed, bytes, signature: key.sign(bytes), signer: key.public };
}

/** The file of a receipt: JSON, with the signature on its last line. */
export function formatSigned({ bytes, signature }: SignedReceipt): Uint8Array {
  const last = `,"signature":"${Buffer.from(signature).toString('base64')}"}\n`;
  return Buffer.concat([FIRST, bytes, Buffer.from(last)]);
}

/** So many bytes tell whether a file begins as a receipt does. */
export const FIRST_BYTES = FIRST.length;

/** Whether a file begins as a receipt does. */
export function looksLikeReceipt(content: Uint8Array): boolean {
  return Buffer.from(content.subarray(0, FIRST.length)).equals(FIRST);
}

/**
 * Takes a file apart, and checks no signature.
 * @param what the file is called.
 * @throws BundleError UNSUPPORTED_CONTENT
 */
export function parseSigned(content: Uint8Array, what: string): SignedReceipt {
  const file = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const lastAt = file.subarray(0, -1).lastIndexOf(0x0a) + 1;
  const [, text] = LAST.exec(file.subarray(lastAt).toString('latin1')) ?? [];
  const signature = Buffer.from(text ?? '', 'base64');
  if (!looksLikeReceipt(file) || text === undefined || signature.toString('base64') !== text) {
    throw new BundleError('UNSUPPORTED_CONTENT', `${what} is no receipt`, {
      expected: 'a first line {"receipt": and a last line with the signature',
      subject: what,
      hint: 'It may have been cut off or opened in an editor: ask the site for the file again.',
    });
  }
  const bytes = file.subarray(FIRST.length, lastAt);
  return aboutFile(what, () => ({ receipt: parseReceipt(bytes), bytes, signature }));
}

/**
 * Checks the signature of a receipt with the keys that are trusted here.
 * @throws BundleError SIGNER_UNKNOWN, SIGNATURE_INVALID
 */
export function checkReceipt(
  signed: SignedReceipt,
  keys: readonly SignerKey[],
  what: string,
): CheckedReceipt {
  const { receipt, bytes, signature } = signed;
  const signer = keys.find(({ id }) => id === receipt.signer);
  if (signer === undefined) {
    throw new BundleError(
      'SIGNER_UNKNOWN',
      `${what}: the signer of the receipt is not one of the keys that are trusted here`,
      {
        got: receipt.signer,
        subject: what,
        hint:
          `Wanted is the key that the site ${receipt.site} signs its receipts with. The bundle key ` +
          'of a packer proves bundles, and no receipt. Get the .pub file of the site out of band, ' +
          'compare its id, and name it: --trusted-key KEY.pub. bundle trust add trusts it for ' +
          'good, for bundles too.',
      },
    );
  }
  try {
    signer.verify(bytes, signature);
  } catch (cause) {
    if (!hasCode(cause, 'SIGNATURE_INVALID')) throw cause;
    throw new BundleError(
      'SIGNATURE_INVALID',
      `${what}: the signature of the receipt was not made with the key that it names`,
      {
        cause,
        subject: what,
        got: receipt.signer,
        hint: 'It was changed after signing, or is forged: ask the site for it again.',
      },
    );
  }
  return { ...signed, signer };
}

function aboutFile<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof BundleError ? error.about(what) : error;
  }
}
