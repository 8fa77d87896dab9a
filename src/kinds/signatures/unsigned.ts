import type { Digest } from '../../core/digest.ts';
import { isSignature } from '../../trust/image-statements.ts';
import type { PlannedImage } from '../../transfer/image.ts';
import type { Closure } from '../closure.ts';

/**
 * The images that no signature is carried of: none of their publisher that covers the whole part,
 * none that is attached, none that is kept beside them. One of any of its manifests counts for an
 * image.
 */
export function unsignedImages({ parts, content }: Closure): readonly PlannedImage[] {
  const bytesOf = new Map(
    content.manifests.map(({ descriptor, bytes }) => [descriptor.digest, bytes]),
  );
  const isSigning = ({ attachment, descriptor }: PlannedImage): boolean =>
    attachment === 'tag' || isSignature(bytesOf.get(descriptor.digest)!);
  const signed = new Set<Digest>(
    parts.flatMap(({ lookaside = [] }) => lookaside.map(({ subject }) => subject)),
  );
  for (const image of content.images)
    if (image.subject !== undefined && isSigning(image)) signed.add(image.subject);
  return content.images.filter(
    ({ attachment, proof, manifests }) =>
      attachment === undefined &&
      proof === 'signer' &&
      manifests.every(({ digest }) => !signed.has(digest)),
  );
}
