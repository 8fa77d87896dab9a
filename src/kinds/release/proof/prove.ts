import type { Digest } from '../../../core/digest.ts';
import { BundleError } from '../../../core/errors.ts';
import { MAX_KEY_BYTES } from '../../../core/limits.ts';
import { readGivenFile } from '../../../files/small-file.ts';
import { PINNED_RELEASE_KEYS } from '../../../trust/pinned-release-keys.ts';
import { readReleaseKeys, type ReleaseKeys } from '../../../trust/release-keys.ts';
import {
  type ReleaseSignature,
  verifyReleaseSignatures,
} from '../../../trust/release-signature.ts';

/**
 * The pinned Red Hat keys and those of the operator. @throws BundleError CONFIGURATION, NOT_FOUND,
 * DISK
 */
export async function loadReleaseKeys(files: readonly string[]): Promise<ReleaseKeys> {
  const given = [];
  for (const path of files)
    given.push({ name: path, content: await readGivenFile(path, MAX_KEY_BYTES) });
  return readReleaseKeys([...PINNED_RELEASE_KEYS, ...given]);
}

/**
 * The signatures among those that were found that prove a release digest.
 * @param found messages, and stores that could not be asked.
 * @throws BundleError SIGNATURE_MISSING, SIGNATURE_INVALID or SIGNER_UNKNOWN when none does; the
 * failure of a store that could not be asked, if no other has anything.
 */
export async function proveRelease(
  digest: Digest,
  found: { readonly messages: readonly Uint8Array[]; readonly failures?: readonly BundleError[] },
  keys: ReleaseKeys,
  now: Date,
): Promise<readonly ReleaseSignature[]> {
  const { messages, failures = [] } = found;
  const { good, refused } = await verifyReleaseSignatures(messages, digest, keys, now);
  if (good.length > 0) return good;
  const [reason] = refused;
  if (reason !== undefined) throw reason;
  if (failures.length > 0) throw notLookedUp(digest, failures);
  const why = 'no signature store has a signature of it';
  throw new BundleError('SIGNATURE_MISSING', `the release ${digest} is not signed: ${why}`, {
    hint:
      'Name the store that has the signature with --signature-store URL; ' +
      '--allow-unsigned-release continues without a proof, and every report says so.',
  });
}

/** Nobody knows then whether the release is signed: to do without a proof is no way out. */
function notLookedUp(digest: Digest, failures: readonly BundleError[]): BundleError {
  const [first] = failures;
  const why = failures.map(({ message }) => message).join('; ');
  return new BundleError(
    first!.code,
    `the signatures of the release ${digest} could not be looked up: ${why}`,
    {
      cause: first,
      hint:
        'Nothing is known about the release yet. Try again when the signature store can be read, ' +
        'or name another one that has the signatures: --signature-store URL.',
      temporary: first!.temporary,
    },
  );
}
