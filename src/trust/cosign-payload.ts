import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { isObject, type Json, parseStrictJson } from '../core/json.ts';

/**
 * The media type of what cosign signs, one layer for each signature (sigstore/cosign,
 * specs/SIGNATURE_SPEC.md).
 */
export const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';

/**
 * Checks that a cosign payload is about `subject`. Whether its signature is good is not checked
 * here: clusters do that with their own keys.
 * @throws BundleError SIGNATURE_INVALID
 */
export function checkCosignPayload(payload: Uint8Array, subject: Digest): void {
  const document = parseStrictJson(payload, 'cosign payload');
  const critical = isObject(document) ? document['critical'] : undefined;
  const image: Json | undefined = isObject(critical) ? critical['image'] : undefined;
  const named = isObject(image) ? image['docker-manifest-digest'] : undefined;
  if (named === subject) return;
  throw new BundleError(
    'SIGNATURE_INVALID',
    `a cosign signature lies beside ${subject} but is about something else`,
    {
      expected: subject,
      got: typeof named === 'string' ? named : 'no digest',
    },
  );
}
