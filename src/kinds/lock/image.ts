import type { Digest } from '../../core/digest.ts';
import { formatReference } from '../../core/reference.ts';
import { digest, knownDigest, listOf, objectOf, text } from './fields.ts';
import type { LockForm } from './lock-form.ts';
import { type ImageFacts, imageKind } from '../image/image.ts';
import { imageRequest, type ImagePartRequest } from '../image/request.ts';

/** An image that is no part of a release, in a lock. */
export interface LockedImage {
  readonly reference: string;
  readonly digest: Digest;
  /** Where it goes at a target. */
  readonly path: string;
  readonly tag: string;
  /** What of its list is carried; all of it, if it is left out. */
  readonly platforms?: readonly string[];
}

export const imageLock: LockForm<LockedImage, ImagePartRequest, ImageFacts> = {
  kind: imageKind,
  rowOf: ({ facts }) => ({
    reference: formatReference(facts.reference),
    digest: knownDigest(facts.digest),
    path: facts.path,
    tag: facts.tag,
    ...(facts.platforms !== undefined && { platforms: facts.platforms }),
  }),
  read: objectOf<LockedImage>({
    ...{ reference: text, digest, path: text, tag: text },
    platforms: { optional: listOf(text) },
  }),
  requestOf: ({ reference, path, tag, platforms }) =>
    imageRequest(reference, { path, tag, platforms }),
  tagsIn: ({ reference, digest: own }) => [[reference, own]],
};
