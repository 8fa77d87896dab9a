import { basename } from 'node:path';

import { describeBundle } from '../bundle/plan.ts';
import { volumesMissing } from '../bundle/found-volumes.ts';
import type { BundleReader } from '../bundle/reader.ts';
import { SealedBundle } from '../bundle/sealed.ts';
import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { MAX_SIGNATURE_BYTES } from '../core/limits.ts';
import { parseManifest } from '../core/manifest.ts';
import { parseReference } from '../core/reference.ts';
import { readVerified } from '../core/verified.ts';
import { parseArchitecture } from '../release/architecture.ts';
import { readSignatureConfigMap } from '../release/config-map.ts';
import { checkCosignPayload, SIMPLE_SIGNING } from '../trust/cosign-payload.ts';
import type { SignerKey } from '../trust/keys.ts';
import { findBundleFiles } from './bundle-files.ts';
import { contentsOf } from './contents.ts';
import type { Context } from './context.ts';
import { loadReleaseKeys, proveRelease } from './prove.ts';
import { canonicalRepository, planRelease, type PlannedRelease } from './release.ts';
import { checkSigners, type SignerRequest, type Signers, unknownSigner } from './signers.ts';

/** What to do with a bundle that contradicts itself, though its signer may be known. */
const FOREIGN = 'The bundle was not made by this program from this release: do not use it.';

/** Which bundle, and who is believed about it. */
export interface OpenRequest extends SignerRequest {
  /** A file, any volume, or folders that hold one bundle or the volumes of one. */
  readonly paths: readonly string[];
  readonly releaseKeyFiles: readonly string[];
  /** The version that the bundle has to be of. */
  readonly expectedVersion?: string | undefined;
  /** The bundle digest that was passed on by another way: 64 hex digits. */
  readonly expectedDigest?: string | undefined;
}

export interface OpenedBundle extends Signers {
  /** Volume numbers left out. */
  readonly path: string;
  /** The physical files, in the order of the volumes. */
  readonly files: readonly string[];
  /** Bytes of all files. */
  readonly size: number;
  readonly digest: Digest;
  /** The release, derived again from its digest. */
  readonly release: PlannedRelease;
  readonly reader: BundleReader;
}

/**
 * Opens a bundle and checks everything but the layers: signer, listing, every byte of the metadata, release signature,
 * and that the bundle holds exactly what the release consists of. The caller closes the reader.
 * @throws BundleError SIGNER_UNKNOWN, TOO_FEW_SIGNERS, SIGNATURE_INVALID, NOT_THE_EXPECTED_BUNDLE, BUNDLE_UNUSABLE, CONTENT_MISMATCH,
 * CLOSURE_MISMATCH
 */
export async function openBundle(request: OpenRequest, context: Context): Promise<OpenedBundle> {
  const { path, files } = await findBundleFiles(request.paths);
  context.observe({ type: 'phase', what: `opening ${basename(path)}` });
  const sealed = await SealedBundle.open(...files);
  try {
    const signers = await checkSigners(sealed, path, request, context);
    checkKeyFile(sealed, signers);
    sealed.expect(request.expectedDigest);
    const reader = await sealed.unseal();
    if (reader.missingVolumes.length > 0) throw volumesMissing(basename(path), reader.missingVolumes, reader.volumeCount);
    const release = await deriveRelease(reader, signers, request.releaseKeyFiles, context);
    if (signers.standing === 'unknown') await checkUnproven(release, signers.signer);
    checkIdentity(path, release, request.expectedVersion);
    return { path, files: sealed.paths, size: sealed.size, digest: sealed.digest, ...signers, release, reader };
  } catch (error) {
    await sealed.close();
    throw error;
  }
}

/**
 * Cosign signature images do not hang on the release signature. From a packer whom nobody knows they are taken only if
 * they are what they should be: small statements about their subject, whose signatures clusters check with keys of their own.
 * @throws BundleError SIGNER_UNKNOWN
 */
async function checkUnproven({ content }: PlannedRelease, signer: SignerKey): Promise<void> {
  const manifests = new Map(content.metadata.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  for (const { role, name, subject, descriptor, store } of content.images) {
    if (role === 'release' || role === 'component') continue;
    try {
      const manifest = parseManifest(manifests.get(descriptor.digest)!);
      if (subject === undefined || manifest.kind === 'index') throw new BundleError('UNSUPPORTED_CONTENT', 'it is no signature image');
      for (const layer of manifest.layers) {
        if (layer.mediaType !== SIMPLE_SIGNING) throw new BundleError('UNSUPPORTED_CONTENT', `it holds ${layer.mediaType}`);
        checkCosignPayload(await readVerified(store.fetch(layer), layer, MAX_SIGNATURE_BYTES), subject);
      }
    } catch (cause) {
      if (!(cause instanceof BundleError)) throw cause;
      throw new BundleError('SIGNER_UNKNOWN', `the bundle holds ${name}, which nothing proves: ${cause.message}`, {
        cause,
        got: signer.id,
        hint: 'Such content is accepted from a trusted signer only: bundle trust add KEY.pub, with a key that came by another way.',
      });
    }
  }
}

/** One key has one way to be written, so that one bundle has one file. */
function checkKeyFile({ publicKey }: SealedBundle, { signer }: Signers): void {
  if (Buffer.from(signer.pem).equals(publicKey)) return;
  throw new BundleError('BUNDLE_UNUSABLE', 'SHA256SUMS.pub is not written as keys are written in bundles', {
    hint: 'The signature is good, but the file was changed after it was made: copy the bundle again from where it was made.',
  });
}

/** Derives the release again from its digest and compares the result with everything the bundle says. */
async function deriveRelease(
  reader: BundleReader,
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
  if (claimed.signatures.length === 0 && standing === 'unknown') {
    throw unknownSigner(signer, 'is not known here, and the release in it is not signed either: nothing proves the content');
  }
  observe({ type: 'phase', what: 'checking the release signature' });
  const keys = await loadReleaseKeys(releaseKeyFiles);
  const signatures =
    claimed.signatures.length === 0 ? [] : await proveRelease(claimed.digest, signatureMessages(reader, claimed.digest), [], keys, now);
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
      { concurrency, signal },
    );
    checkClosure(release, reader);
    return release;
  } catch (error) {
    if (!(error instanceof BundleError) || (error.code !== 'NOT_FOUND' && error.code !== 'USAGE')) throw error;
    throw new BundleError('CLOSURE_MISMATCH', `the bundle does not hold what the release consists of: ${error.message}`, {
      cause: error,
      hint: FOREIGN,
    });
  }
}

function signatureMessages(reader: BundleReader, digest: Digest): readonly Uint8Array[] {
  const path = `config/signature-sha256-${hexOf(digest).slice(0, 16)}.yaml`;
  const text = reader.files.get(path);
  if (text === undefined) {
    throw new BundleError('SIGNATURE_MISSING', `the bundle does not hold ${path}, the release's signature`, { hint: FOREIGN });
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
function checkClosure(release: PlannedRelease, reader: BundleReader): void {
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

/** A genuine bundle under another bundle's name must not pass for it. */
function checkIdentity(path: string, release: PlannedRelease, expectedVersion: string | undefined): void {
  const { version, architecture } = release;
  if (expectedVersion !== undefined && expectedVersion !== version) {
    throw new BundleError('NOT_THE_EXPECTED_BUNDLE', `the bundle holds ${version}, not ${expectedVersion}`, {
      expected: expectedVersion,
      got: version,
      hint: 'This is another bundle than the one you asked for.',
    });
  }
  const [, named] = /^ocp-(.+)\.tar\.zst$/.exec(basename(path)) ?? [];
  const actual = `${version}-${architecture}`;
  if (named === undefined || !/^\d+\.\d+\.\d+/.test(named) || named === actual) return;
  throw new BundleError('NOT_THE_EXPECTED_BUNDLE', `the file is called ${basename(path)}, but the signed content is ${actual}`, {
    expected: named,
    got: actual,
    hint: `A genuine bundle was given another's name; if that was you, call it ocp-${actual}.tar.zst again.`,
  });
}
