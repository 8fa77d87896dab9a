import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { MAX_SIGNATURE_BYTES } from '../core/limits.ts';
import { parseSignedMessage } from './openpgp/signed-message.ts';
import type { ReleaseKeys } from './release-keys.ts';
import { verifySignedMessage } from './release-signature.ts';
import { readImageStatement } from './signed-statement.ts';

/** What a signature that is kept beside an image says; nothing of it is verified. */
export interface LookasideStatement {
  readonly digest: Digest;
  /** Under which name it was signed. */
  readonly dockerReference: string;
  /** The key that made it, as it names it itself: 16 upper-case hex digits. */
  readonly keyId: string;
}

/** What the keys that are known here say of such a signature. */
export interface LookasideVerdict {
  readonly keyId: string;
  /** The first user id of the key; only of a signature that is good. */
  readonly signer?: string | undefined;
  /** Why it proves nothing here; none of a good one. */
  readonly why?: string | undefined;
}

/**
 * Reads an OpenPGP signed message that says of an image what skopeo and podman want to hear:
 * containers-signature(5).
 * @throws BundleError SIGNATURE_INVALID for anything else.
 */
export function readLookasideSignature(message: Uint8Array): LookasideStatement {
  try {
    if (message.length > MAX_SIGNATURE_BYTES)
      throw invalid(`has over ${MAX_SIGNATURE_BYTES} bytes`);
    const { content, keyId } = parseSignedMessage(message);
    const { digest, dockerReference } = readImageStatement(content);
    return { digest, dockerReference, keyId };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw invalid(error.message.replace(/^the (?:release )?signature /, ''), error);
  }
}

/**
 * Whether one of `keys` made such a signature, at `now`. That nobody here knows the key is no
 * failure: clusters have keys of their own.
 */
export async function judgeLookaside(
  message: Uint8Array,
  keys: ReleaseKeys,
  now: Date,
): Promise<LookasideVerdict> {
  const { keyId } = readLookasideSignature(message);
  try {
    const { signer } = await verifySignedMessage(message, keys, now);
    return { keyId, signer: signer.name };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    const why = error.code === 'SIGNER_UNKNOWN' ? 'its key is not known here' : error.message;
    return { keyId, why: why.replace(/^the release signature is not valid: /, '') };
  }
}

function invalid(why: string, cause?: BundleError): BundleError {
  return new BundleError('SIGNATURE_INVALID', `the signature ${why}`, {
    ...{ cause, hint: 'Ask whoever keeps the signatures of the image.' },
  });
}
