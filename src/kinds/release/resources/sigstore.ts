import type { Digest } from '../../../core/digest.ts';
import type { WalkedImage } from '../../../transfer/image.ts';
import { isSignature } from '../../../trust/image-statements.ts';

/** How many of some images have a sigstore signature that is carried with them. */
export interface SignedImages {
  readonly signed: number;
  readonly images: number;
}

/** Counts distinct images of a role, and those that a signature is attached to. */
export function signedImages(images: readonly WalkedImage[], role: string): SignedImages {
  const subjects = new Set<Digest>();
  for (const { request, tree } of images) {
    if (request.subject === undefined) continue;
    if (request.attachment === 'tag' || isSignature(tree.bytes)) subjects.add(request.subject);
  }
  const digests = new Set(
    images.filter(({ request }) => request.role === role).map(({ tree }) => tree.descriptor.digest),
  );
  return { signed: [...digests].filter((d) => subjects.has(d)).length, images: digests.size };
}
