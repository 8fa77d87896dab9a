import type { Digest } from '../../src/core/digest.ts';
import { type Image, makeArtifact } from './image.ts';

const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';

/**
 * Has the form of an ECDSA signature, and signs nothing: nobody here has the key of whom it would
 * come from.
 */
const SIGNATURE = Buffer.from(
  'not a signature, but as long as many of those that ECDSA makes on P-256',
).toString('base64');

/** A signature image as cosign pushes it beside the manifest that it signs. */
export function cosignSignature(subject: Digest, dockerReference: string): Image {
  const payload = {
    critical: {
      identity: { 'docker-reference': dockerReference },
      image: { 'docker-manifest-digest': subject },
      type: 'cosign container image signature',
    },
    optional: null,
  };
  return makeArtifact(SIMPLE_SIGNING, payload, { 'dev.cosignproject.cosign/signature': SIGNATURE });
}
