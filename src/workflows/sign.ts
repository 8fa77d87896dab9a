import { SealedBundle } from '../bundle/reading/sealed.ts';
import { decodeSignatureFile, encodeSignatureFile } from '../bundle/format/signature-file.ts';
import { MAX_KEY_BYTES } from '../core/limits.ts';
import { refuseForeignFile } from '../files/foreign.ts';
import { writeWhole } from '../files/write-whole.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { SignerKey } from '../trust/keys.ts';
import type { Context } from '../core/context.ts';
import { findBundleFiles } from '../opening/bundle-files.ts';
import { chooser } from '../opening/choose.ts';
import { checkSigners, countersignaturePath } from '../opening/signers.ts';
import { type KeySource, loadSigningKey } from '../packing/signing-key.ts';

export interface SignRequest {
  /** As for opening a bundle; the signature is written beside the first. */
  readonly paths: readonly string[];
  readonly key: KeySource;
  readonly trustedKeyFiles: readonly string[];
  /** The bundle digest that the signer means to sign. */
  readonly expectedDigest?: Digest | undefined;
}

export interface SignReport {
  readonly path: string;
  readonly signaturePath: string;
  readonly bundleDigest: Digest;
  readonly signer: SignerKey;
}

/**
 * Adds a signature over a bundle's listing, in a file beside it; the bundle itself is not touched.
 * The listing names the digest of every byte of content: whoever signs it should have verified the
 * bundle.
 * @throws BundleError SIGNATURE_INVALID, SIGNER_UNKNOWN, NOT_THE_EXPECTED_BUNDLE, CONFIGURATION,
 * DISK
 */
export async function sign(request: SignRequest, context: Context): Promise<SignReport> {
  const key = await loadSigningKey(request.key, context.configFolder);
  if (key === undefined) {
    throw new BundleError('CONFIGURATION', 'there is no key to sign with', {
      hint: 'Make a key with bundle keygen, or name one with --key.',
    });
  }
  const { path, files } = await findBundleFiles(request.paths, chooser(request, context));
  const sealed = await SealedBundle.open(...files);
  try {
    await checkSigners(sealed, path, request, context);
    sealed.expect(request.expectedDigest);
    const signaturePath = countersignaturePath(path, key.public);
    await refuseForeignFile({
      path: signaturePath,
      what: 'no signature of a bundle',
      limit: MAX_KEY_BYTES,
      isOwn: (text) => text === '' || decodeSignatureFile(Buffer.from(text)) !== undefined,
    });
    await writeWhole(signaturePath, encodeSignatureFile(key.sign(sealed.sums)));
    return { path, signaturePath, bundleDigest: sealed.digest, signer: key.public };
  } finally {
    await sealed.close();
  }
}
