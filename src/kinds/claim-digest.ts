import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';

/**
 * The `digestOfClaim` of a kind whose rows have no digest of the part, out of what reads a row and
 * what a part is told apart by.
 */
export function claimDigest<Seed>(
  read: (claim: JsonObject) => Seed,
  identityOf: (seed: Seed) => Digest,
): (claim: JsonObject) => Digest | undefined {
  return (claim) => {
    try {
      return identityOf(read(claim));
    } catch (error) {
      if (error instanceof BundleError) return undefined;
      throw error;
    }
  };
}
