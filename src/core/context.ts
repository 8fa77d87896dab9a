import type { Limit } from './concurrency.ts';
import type { Observe } from './events.ts';

/**
 * The facts about the process and its user that decide where files are, and how hosts are reached.
 */
export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly uid: number;
}

/** The context that every workflow gets beside its request. */
export interface Context {
  readonly environment: Environment;
  /** Where this user's keys are: `~/.config/bundle`. */
  readonly configFolder: string;
  readonly signal: AbortSignal;
  readonly observe: Observe;
  /** The time that signatures and keys are judged by. */
  readonly now: Date;
  /** Transfers at a time. */
  readonly concurrency: Limit;
  /** Small requests at a time: manifests, tags, whether a blob is there. */
  readonly lookups: Limit;
}
