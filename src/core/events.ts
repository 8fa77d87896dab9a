import type { Digest } from './digest.ts';
import type { ErrorCode } from './errors.ts';

/**
 * Facts about a run, in the order they happen. Sentences, rates and drawing belong to cli/present.
 */
export type TransferEvent =
  /**
   * A part of the work begins that may take a while: `what` is a short phrase in the present tense.
   */
  | { readonly type: 'phase'; readonly what: string }
  /** What will be moved is known: number of blobs and their bytes. */
  | {
      readonly type: 'planned';
      readonly blobs: number;
      readonly bytes: number;
      readonly images: number;
    }
  | {
      readonly type: 'started';
      readonly digest: Digest;
      readonly bytes: number;
      readonly image: string;
    }
  /** `bytes` more have been moved (negative when a blob is started again). */
  | { readonly type: 'advanced'; readonly bytes: number }
  | {
      readonly type: 'finished';
      readonly digest: Digest;
      readonly bytes: number;
      readonly image: string;
    }
  /** Not moved since the target holds it. */
  | {
      readonly type: 'skipped';
      readonly digest: Digest;
      readonly bytes: number;
      readonly image: string;
    }
  | {
      readonly type: 'retried';
      readonly what: string;
      readonly cause: string;
      readonly attempt: number;
      readonly delayMs: number;
    }
  /** A mirror does not have it, or failed: the next place is asked. */
  | {
      readonly type: 'passed-over';
      readonly place: string;
      readonly what: string;
      readonly code: ErrorCode;
      readonly cause: string;
    }
  /** Something the user has to see, that is no failure. */
  | { readonly type: 'noticed'; readonly message: string };

export type Observe = (event: TransferEvent) => void;
