import type { Digest } from '../../../core/digest.ts';
import { BundleError } from '../../../core/errors.ts';
import type { HeldContent } from '../../../stores/oc/held-content.ts';
import type { ReleaseKeys } from '../../../trust/release-keys.ts';
import type { ReleaseSignature } from '../../../trust/release-signature.ts';
import type { Sources } from '../../sources.ts';
import { proveRelease } from './prove.ts';

/** What is asked for the signatures of a release, and how they are judged. */
export interface ProofSearch {
  readonly sources: Sources;
  readonly stores: readonly string[];
  /** The folder that the release is in, if that may have signatures. */
  readonly held: HeldContent | undefined;
  readonly keys: ReleaseKeys;
  readonly now: Date;
}

/** Signatures that prove a release. */
export interface FoundProof {
  readonly signatures: readonly ReleaseSignature[];
  /** The files in its folder that they are from, or the signature stores that were asked. */
  readonly places: readonly string[];
}

/**
 * The signatures that prove a release. Those in its own folder are enough if one of them does; only
 * otherwise the signature stores are asked, so that a folder with a proof needs no connection.
 * @throws BundleError SIGNATURE_MISSING, SIGNATURE_INVALID, SIGNER_UNKNOWN; of a store that could not
 * be asked
 */
export async function findProof(digest: Digest, search: ProofSearch): Promise<FoundProof> {
  const { sources, stores, held, keys, now } = search;
  const own = await held?.signatures(digest);
  const messages = own?.found.flatMap((beside) => beside.messages) ?? [];
  let refusal: BundleError | undefined;
  if (own !== undefined) {
    try {
      const given = { messages, failures: own.failures };
      const signatures = await proveRelease(digest, given, keys, now);
      return { signatures, places: own.found.map(({ place }) => place) };
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      refusal = error;
    }
  }
  const asked = await sources.signatures(stores, digest);
  try {
    const given = { messages: asked.signatures, failures: asked.failures };
    return { signatures: await proveRelease(digest, given, keys, now), places: stores };
  } catch (error) {
    if (own === undefined || !(error instanceof BundleError) || asked.signatures.length > 0)
      throw error;
    // What is beside the release and refused says more than that a store has nothing.
    const isSaid = messages.length > 0 || own.failures.length > 0;
    throw isSaid ? refusal! : error.withHint(`${held!.name} has no signature of it. ${error.hint}`);
  }
}
