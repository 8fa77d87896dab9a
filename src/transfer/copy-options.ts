import type { Limit } from '../core/concurrency.ts';
import type { Digest } from '../core/digest.ts';
import type { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import type { Held } from './holders.ts';
import type { OnePass } from './one-pass.ts';

export interface CopyOptions {
  /** Transfers at a time. */
  readonly concurrency: Limit;
  readonly signal: AbortSignal;
  readonly observe: Observe;
  /**
   * For a copy that may leave images out: each part that is whole is copied and named, whatever the
   * others lack. Without it, nothing is named unless all of it is there.
   */
  readonly leaves?: Leaves | undefined;
  /** The blobs, where they come through a pipe. */
  readonly pass?: OnePass | undefined;
  /** Blobs that the source does not have, and where they are. */
  readonly held?: Held | undefined;
  /** Is told, when the copy fails, how far it has come. */
  readonly onFailure?: (standing: CopyStanding) => void;
}

/** How far a copy has come that failed. */
export interface CopyStanding {
  /** Images that are at the target with their manifests, of how many. */
  readonly done: number;
  readonly images: number;
  /** Whether it has set a tag that names a part. */
  readonly isNamed: boolean;
}

/** Content that a copy may leave out. */
export interface Leaves {
  /** Numbers of the parts of which it is known beforehand that something is missing. */
  readonly incompleteParts: ReadonlySet<number>;
  /** Whether a failure of the source only says that it cannot give this blob. */
  readonly isLoss: (error: BundleError, blob: Digest) => boolean;
}

/** Counts of what was moved, updated while it is moved. */
export interface CopyCounts {
  readonly blobs: {
    pushed: number;
    mounted: number;
    skipped: number;
    pushedBytes: number;
    skippedBytes: number;
  };
  readonly manifests: { pushed: number; skipped: number };
  readonly tags: { set: number; kept: number };
}

export interface CopyReport extends CopyCounts {
  /**
   * Numbers of the parts that are whole at the target, with all their tags, lowest first. A part
   * without an image is not among them.
   */
  readonly wholeParts: readonly number[];
  /** Names of the images that are not there, or that nothing names, since something is lost. */
  readonly left: readonly string[];
  /** Those of them that are whole, and wait for others. */
  readonly held: readonly string[];
}
