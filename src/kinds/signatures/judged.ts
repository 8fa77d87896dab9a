import type { Digest } from '../../core/digest.ts';
import { judgeLookaside, type LookasideVerdict } from '../../trust/lookaside-signature.ts';
import type { ReleaseKeys } from '../../trust/release-keys.ts';
import type { Closure } from '../closure.ts';
import { unsignedImages } from './unsigned.ts';
import type { PlannedImage } from '../../transfer/image.ts';

/** A signature that is kept beside an image, and what the keys that are known here say of it. */
export interface JudgedSignature extends LookasideVerdict {
  /** The manifest that it is about. */
  readonly subject: Digest;
  /** Of the signature itself. */
  readonly digest: Digest;
}

/** What is known of the signatures of all images. */
export interface SignatureFacts {
  readonly lookaside: readonly JudgedSignature[];
  readonly unsigned: readonly PlannedImage[];
}

/**
 * Checks the signatures that are kept beside images with the release keys that are known. None is
 * refused for it: whether an image may run, clusters decide with keys of their own.
 * @param loadKeys is asked only where there is a signature: a key may come through a pipe, which
 * can be read once.
 */
export async function judgedSignatures(
  closure: Closure,
  loadKeys: () => Promise<ReleaseKeys>,
  now: Date,
): Promise<SignatureFacts> {
  const all = new Map(
    closure.parts
      .flatMap(({ lookaside = [] }) => lookaside)
      .map((one) => [`${one.subject} ${one.digest}`, one]),
  );
  const keys = all.size === 0 ? [] : await loadKeys();
  const lookaside: JudgedSignature[] = [];
  for (const { subject, digest, message } of all.values())
    lookaside.push({ subject, digest, ...(await judgeLookaside(message, keys, now)) });
  return { lookaside, unsigned: unsignedImages(closure) };
}
