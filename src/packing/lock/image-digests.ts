import { type Digest, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import type { Lock } from './lock.ts';

/**
 * The images of a lock, each counted once: those that are attached to others, or all else.
 * @throws BundleError CONFIGURATION for a source without its digest
 */
export function imageDigests(
  { contents }: Lock,
  areAttached: boolean,
): readonly (readonly [Digest, number])[] {
  return contents
    .filter(({ attached }) => (attached !== undefined) === areAttached)
    .map(({ source }) => [digestIn(source), 1]);
}

/** @throws BundleError CONFIGURATION for a source without its digest */
export function digestIn(source: string): Digest {
  try {
    return parseDigest(source.slice(source.indexOf('@') + 1));
  } catch (cause) {
    throw new BundleError(
      'CONFIGURATION',
      `the lock names an image without its digest: ${source}`,
      {
        ...{ cause, expected: 'REGISTRY/REPOSITORY@sha256:…', got: source },
        hint: 'Use the lock as bundle pack --lock FILE has written it, and do not edit it.',
      },
    );
  }
}
