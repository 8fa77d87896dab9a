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

/** The entry that a fault names when the manifests are damaged to an unknown extent. */
export const METADATA = 'the manifests';

/** The entry that a fault names when a part cannot be derived from its first image. */
export const PART_ROOT = 'the image that a part begins with';

/** The entry that a fault names when a volume does not end where it has to, or as it has to. */
export const VOLUME_END = 'the end of a volume';

/** Called with each fault; when it returns, reading continues as well as it can. */
export type OnFault = (fault: Fault) => void;

/** Files that are not those of one bundle: none of them need be damaged. */
export class NotOneBundle extends BundleError {
  constructor(
    message: string,
    hint = 'Name the volumes of one bundle only, each once. All volumes in the folder of one that is ' +
      'named are taken too.',
  ) {
    super('BUNDLE_UNUSABLE', message, { hint });
  }
}

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
