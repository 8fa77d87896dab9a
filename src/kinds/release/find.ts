import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import type { ReleaseSignature } from '../../trust/release-signature.ts';
import type { FindOptions, Found } from '../kind.ts';
import type { Sources } from '../sources.ts';
import { canonicalRepository, type ReleaseSeed } from './claim.ts';
import { locateRelease } from './locate.ts';
import { askOfficialSources } from './official-sources.ts';
import { findProof } from './proof/find-proof.ts';
import { loadReleaseKeys } from './proof/prove.ts';
import type { ReleaseRequest } from './request.ts';

/**
 * Finds the digest of a release, and the signatures that prove it.
 * @throws BundleError NOT_FOUND, USAGE, CONTENT_MISMATCH, SIGNATURE_MISSING, SIGNATURE_INVALID, SIGNER_UNKNOWN, and
 * of the network
 */
export async function findRelease(
  request: ReleaseRequest,
  sources: Sources,
  { observe, signal, now }: FindOptions,
): Promise<Found<ReleaseSeed>> {
  const { from, version, architecture, signatureStores } = request;
  const keys = await loadReleaseKeys(request.releaseKeyFiles);
  const called = version ?? from ?? 'the release';
  observe({ type: 'phase', what: `finding ${called}` });
  if (from === undefined && version !== undefined) await askOfficialSources(sources, signal);
  const { descriptor, content, repository, held } = await locateRelease(request, sources, signal);
  const { digest } = descriptor;
  if (request.expected !== undefined && request.expected !== digest) {
    throw new BundleError('CONTENT_MISMATCH', `${called} is another release than the graph names`, {
      expected: request.expected,
      got: digest,
      side: 'source',
      hint:
        'The registry, or a mirror of it, has something else under this version. Ask whoever ' +
        'keeps it; or ask the update service again, if the graph is from a file.',
    });
  }
  observe({ type: 'phase', what: `checking the signature of ${called}` });
  let signatures: readonly ReleaseSignature[] = [];
  try {
    const stores = signatureStores;
    const proof = await findProof(digest, { sources, stores, held, keys, now });
    signatures = amongThem(proof.signatures, request.messages);
    // A registry has no signatures of releases: then it is clear that they are from the stores.
    if (held !== undefined)
      observe({ type: 'noticed', code: 'proof-found', what: called, places: proof.places });
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    if (!request.allowUnsignedRelease) throw error.about(`release ${called}`);
    const { message: cause } = error;
    observe({ type: 'noticed', code: 'release-not-proven', release: called, cause });
  }
  const canonical = canonicalRepository(signatures, repository);
  const proven = { digest, descriptor, signatures, architecture, version, canonical };
  return { seed: { ...proven, ...kubeVirtOf(request, observe) }, content };
}

function kubeVirtOf(
  { kubeVirt }: ReleaseRequest,
  observe: FindOptions['observe'],
): Pick<ReleaseSeed, 'kubeVirt' | 'lacksKubeVirt'> {
  if (kubeVirt !== true) return {};
  let isTold = false;
  const lacksKubeVirt = (release: string): void => {
    if (!isTold) observe({ type: 'noticed', code: 'kubevirt-absent', release });
    isTold = true;
  };
  return { kubeVirt, lacksKubeVirt };
}

/**
 * Those of the signatures that are wanted; all where nobody says which.
 * @throws BundleError SIGNATURE_MISSING
 */
function amongThem(
  signatures: readonly ReleaseSignature[],
  wanted: readonly Digest[] = [],
): readonly ReleaseSignature[] {
  if (wanted.length === 0) return signatures;
  const found = signatures.filter(({ digest }) => wanted.includes(digest));
  const missing = wanted.find((digest) => found.every((own) => own.digest !== digest));
  if (missing === undefined) return found;
  throw new BundleError('SIGNATURE_MISSING', 'a signature that proved it is not there any more', {
    expected: missing,
    got: signatures.map(({ digest }) => digest).join(', '),
    hint: 'Name the store that has it with --signature-store, or write a new lock.',
  });
}
