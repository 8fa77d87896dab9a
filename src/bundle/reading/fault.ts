import { BundleError } from '../../core/errors.ts';

/** Something in a bundle that is not what it has to be. */
export interface Fault {
  /** The physical file. */
  readonly path: string;
  /** The bytes of the file that are in doubt, `end` not included. */
  readonly start: number;
  readonly end: number;
  /** Entries of the tar, or what the part of the file is called. */
  readonly entries: readonly string[];
  readonly error: BundleError;
}

/** What a fault names as its entry when the manifests are damaged, and nobody can tell how far. */
export const METADATA = 'the manifests';

/** What a fault names as its entry when a part cannot be derived from the image it begins with. */
export const PART_ROOT = 'the image that a part begins with';

/** Is told of each fault; when it returns, reading goes on as well as it can. */
export type OnFault = (fault: Fault) => void;

/** For whoever needs a bundle that is right to the byte. @throws BundleError of the first fault. */
export function refuseFault({ error }: Fault): void {
  throw error;
}

/**
 * Whether a failure is one of the bytes as they were read: damage. Anything else, above all a
 * bundle that contradicts itself, stays a failure however much damage is allowed for.
 */
export function isDamage(error: unknown): error is BundleError {
  return (
    error instanceof BundleError &&
    ['BUNDLE_UNUSABLE', 'CONTENT_MISMATCH', 'DISK'].includes(error.code)
  );
}
