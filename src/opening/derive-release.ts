import type { BundleContent } from '../bundle/reading/reader.ts';
import { describeBundle } from '../bundle/format/plan.ts';
import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { parseReference } from '../core/reference.ts';
import { parseArchitecture } from '../kinds/release/architecture.ts';
import { readSignatureConfigMap } from '../kinds/release/config-map.ts';
import { contentsOf } from './contents.ts';
import type { Context } from '../core/context.ts';
import { loadReleaseKeys, proveRelease } from '../kinds/release/prove.ts';
import { canonicalRepository, planRelease, type PlannedRelease } from '../kinds/release/release.ts';
import { type Signers, unknownSigner } from './signers.ts';

/** Why an image is in a bundle, as far as it can be derived here. */
const ROLES: readonly string[] = ['release', 'component', 'signature', 'referrer'];

/** What to do with a bundle that contradicts itself, though its signer may be known. */
const FOREIGN = 'The bundle was not made by this program from this release: do not use it.';

/**
 * Derives the release again from its digest and compares the result with everything the bundle
 * says.
 * @throws BundleError SIGNER_UNKNOWN, SIGNATURE_MISSING, SIGNATURE_INVALID, BUNDLE_UNUSABLE,
 * CLOSURE_MISMATCH, UNSUPPORTED_CONTENT
 */
export async function deriveRelease(
  reader: BundleContent,
  { signer, standing }: Signers,
  releaseKeyFiles: readonly string[],
  context: Context,
): Promise<PlannedRelease> {
  const { concurrency, signal, now, observe } = context;
  const [claimed, ...more] = reader.manifest.releases;
  if (claimed === undefined || more.length > 0) {
    throw new BundleError(
      'BUNDLE_UNUSABLE',
      `the bundle holds ${reader.manifest.releases.length} releases; this program reads bundles of one`,
      { hint: 'Use a version of bundle that reads bundles of several.' },
    );
  }
  const unknown = reader.manifest.images.find(({ role }) => !ROLES.includes(role));
  if (unknown !== undefined) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the image ${unknown.name} has the role ${unknown.role}, which this program does not know`,
      {
        hint: 'Use the version of the program that packed it.',
      },
    );
  }
  if (claimed.signatures.length === 0 && standing === 'unknown') {
    throw unknownSigner(
      signer,
      'is not known here, and the release in it is not signed either: nothing proves the content',
    );
  }
  observe({ type: 'phase', what: 'checking the release signature' });
  const keys = await loadReleaseKeys(releaseKeyFiles);
  const signatures =
    claimed.signatures.length === 0
      ? []
      : await proveRelease(
          claimed.digest,
          signatureMessages(reader, claimed.digest),
          [],
          keys,
          now,
        );
  if (signatures.length !== claimed.signatures.length) {
    throw new BundleError(
      'SIGNATURE_INVALID',
      `only ${signatures.length} of ${claimed.signatures.length} release signatures in the bundle can be verified here`,
      {
        hint: 'Name the key that the packer used with --release-key.',
      },
    );
  }
  observe({ type: 'phase', what: 'deriving the content from the release image' });
  try {
    const { registry, repository } = parseReference(claimed.reference);
    const release = await planRelease(
      {
        descriptor: await reader.resolve(claimed.digest),
        signatures,
        architecture: parseArchitecture(claimed.architecture),
        version: claimed.version,
        canonical: canonicalRepository(signatures, { registry, repository }),
      },
      { releaseImage: reader, storeOf: () => reader },
      { concurrency, signal, referrers: true },
    );
    checkClosure(release, reader);
    return release;
  } catch (error) {
    if (!(error instanceof BundleError) || (error.code !== 'NOT_FOUND' && error.code !== 'USAGE'))
      throw error;
    throw new BundleError(
      'CLOSURE_MISMATCH',
      `the bundle does not hold what the release consists of: ${error.message}`,
      {
        cause: error,
        hint: FOREIGN,
      },
    );
  }
}

function signatureMessages(reader: BundleContent, digest: Digest): readonly Uint8Array[] {
  const path = `config/signature-sha256-${hexOf(digest).slice(0, 16)}.yaml`;
  const text = reader.files.get(path);
  if (text === undefined) {
    throw new BundleError(
      'SIGNATURE_MISSING',
      `the bundle does not hold ${path}, the release's signature`,
      { hint: FOREIGN },
    );
  }
  const configMap = readSignatureConfigMap(text);
  if (configMap.digest !== digest) {
    throw new BundleError('SIGNATURE_INVALID', `${path} is for another release`, {
      expected: digest,
      got: configMap.digest,
      hint: FOREIGN,
    });
  }
  return configMap.messages;
}

/** What the bundle lists must be exactly what a pack of the same release would list. */
function checkClosure(release: PlannedRelease, reader: BundleContent): void {
  const derived = describeBundle(contentsOf(release));
  const { manifest, metadataDigests } = reader;
  const differs = (what: string, expected: readonly unknown[], got: readonly unknown[]): void => {
    const texts = [expected, got].map((list) => list.map((entry) => JSON.stringify(entry)));
    const [expectedTexts, gotTexts] = [texts[0]!, texts[1]!];
    const at = expectedTexts.findIndex((text, index) => text !== gotTexts[index]);
    if (at === -1 && expectedTexts.length === gotTexts.length) return;
    const first = at === -1 ? expectedTexts.length : at;
    throw new BundleError(
      'CLOSURE_MISMATCH',
      `bundle.json lists other ${what} than the release image leads to, from number ${first + 1} on`,
      {
        expected: expectedTexts[first] ?? 'nothing more',
        got: gotTexts[first] ?? 'nothing more',
        hint: FOREIGN,
      },
    );
  };
  differs('releases', derived.manifest.releases, manifest.releases);
  differs('images', derived.manifest.images, manifest.images);
  differs('files', derived.manifest.files, manifest.files);
  differs('blobs', derived.manifest.blobs, manifest.blobs);
  differs(
    'manifests and configs',
    release.content.metadata.map(({ descriptor }) => descriptor.digest),
    metadataDigests,
  );
}

/** The refusal of a patch where a whole bundle is needed. */
export function isPatch({ name, manifest }: BundleContent): BundleError {
  return new BundleError(
    'BUNDLE_UNUSABLE',
    `${name} is a patch: it holds parts of the bundle ${hexOf(manifest.repairs!)} and no release`,
    {
      hint: 'Name the damaged bundle first, and the patch behind it.',
    },
  );
}
