import type { Limit } from '../core/concurrency.ts';
import type { Observe } from '../core/events.ts';
import type { OnePass } from './one-pass.ts';

export interface CopyOptions {
  /** Transfers at a time. */
  readonly concurrency: Limit;
  readonly signal: AbortSignal;
  readonly observe: Observe;
  /**
   * For a copy that may leave images out: whole ones are copied with their tags, and a release only
   * if nothing is lost.
   */
  readonly leaves?: Leaves | undefined;
  /** The layers, where they come through a pipe, in the order of the plan. */
  readonly pass?: OnePass | undefined;
}

/** What a copy may leave out. */
export interface Leaves {
  /** It is known beforehand that something is missing. */
  readonly isIncomplete: boolean;
  /** Whether a failure only says that the source cannot give a blob. */
  readonly isLoss: (error: unknown) => boolean;
}

export interface CopyReport {
  readonly blobs: {
    pushed: number;
    mounted: number;
    skipped: number;
    pushedBytes: number;
    skippedBytes: number;
  };
  readonly manifests: { pushed: number; skipped: number };
  readonly tags: { set: number; kept: number };
  /** Names of images that were left out, since something of them could not be had. */
  readonly left: readonly string[];
}
