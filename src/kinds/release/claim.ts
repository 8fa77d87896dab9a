import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, hexOf, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asArray, asString, type JsonObject } from '../../core/json.ts';
import { parseReference, type RepositoryName } from '../../core/reference.ts';
import type { ReleaseSignature } from '../../trust/release-signature.ts';
import type { BundleFiles, ReadOptions } from '../kind.ts';
import { type Architecture, parseArchitecture } from './architecture.ts';
import { readSignatureConfigMap, signatureConfigMapPath } from './config-map.ts';
import { proveRelease } from './proof/prove.ts';

/**
 * A release image with a known digest, which a release signature proves unless the user waived
 * that.
 */
export interface ReleaseSeed {
  readonly digest: Digest;
  /** The descriptor of the release image, as its store gives it; fetched if it is left out. */
  readonly descriptor?: Descriptor;
  /** The signatures that were found good; none only where an unsigned release was allowed. */
  readonly signatures: readonly ReleaseSignature[];
  readonly architecture: Architecture;
  /** The version and architecture that the user asked for, if any. */
  readonly version?: string | undefined;
  /** The repository that the world knows the release image by. */
  readonly canonical: RepositoryName;
  /** Whether the images of its payload's boot images for KubeVirt belong to it. */
  readonly kubeVirt?: boolean | undefined;
  /** Is told where it should have such an image, and has none; nobody is where a bundle is read. */
  readonly lacksKubeVirt?: ((release: string) => void) | undefined;
}

const FOREIGN = 'This program did not make the bundle from this release: do not use it.';

/**
 * The row of a release in `bundle.json`, and the signatures in its config map, checked again.
 * @throws BundleError SIGNATURE_MISSING, SIGNATURE_INVALID, SIGNER_UNKNOWN, UNSUPPORTED_CONTENT,
 * USAGE
 */
export async function readReleaseSeed(
  claim: JsonObject,
  files: BundleFiles,
  { releaseKeys, now }: ReadOptions,
): Promise<ReleaseSeed> {
  const digest = parseDigest(claim['digest']);
  const claimed = asArray(claim['signatures'], 'signatures').length;
  const signatures =
    claimed === 0
      ? []
      : await proveRelease(digest, { messages: messagesIn(files, digest) }, releaseKeys, now).catch(
          (error: unknown) => {
            const which = `release ${asString(claim['version'], 'version')}`;
            const where = `${signatureConfigMapPath(digest)} in the bundle`;
            throw error instanceof BundleError ? error.about(`${which}, ${where}`) : error;
          },
        );
  if (signatures.length !== claimed) {
    throw new BundleError(
      'SIGNATURE_INVALID',
      `only ${signatures.length} of ${claimed} release signatures in the bundle can be ` +
        'verified here',
      { hint: 'The packer used --release-key FILE: use it here too, with the same key.' },
    );
  }
  const { registry, repository } = parseReference(asString(claim['reference'], 'reference'));
  return {
    digest,
    signatures,
    architecture: parseArchitecture(asString(claim['architecture'], 'architecture')),
    version: asString(claim['version'], 'version'),
    canonical: canonicalRepository(signatures, { registry, repository }),
    // Another value makes another claim than this one.
    kubeVirt: claim['kubeVirt'] === true,
  };
}

/**
 * The repository of a proven release: what its first signature says, else `fallback`.
 * @throws BundleError SIGNATURE_INVALID when it names none.
 */
export function canonicalRepository(
  signatures: readonly ReleaseSignature[],
  fallback: RepositoryName,
): RepositoryName {
  const [first] = signatures;
  if (first === undefined) return fallback;
  try {
    const { registry, repository } = parseReference(first.dockerReference);
    return { registry, repository };
  } catch (cause) {
    throw new BundleError(
      'SIGNATURE_INVALID',
      `the release signature names no repository: ${first.dockerReference}`,
      { cause, hint: 'The signature is genuine, but unusable: ask the publisher of the release.' },
    );
  }
}

function messagesIn(files: BundleFiles, digest: Digest): readonly Uint8Array[] {
  const path = signatureConfigMapPath(digest);
  const text = files.get(path);
  if (text === undefined) {
    throw new BundleError(
      'SIGNATURE_MISSING',
      `the bundle does not hold ${path}, the signature of the release ${hexOf(digest)}`,
      { hint: FOREIGN },
    );
  }
  const configMap = readSignatureConfigMap(text);
  if (configMap.digest === digest) return configMap.messages;
  throw new BundleError('SIGNATURE_INVALID', `${path} is for another release`, {
    expected: digest,
    got: configMap.digest,
    hint: FOREIGN,
  });
}
