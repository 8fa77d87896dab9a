import type { Limit } from './concurrency.ts';
import type { Observe } from './events.ts';
import type { Environment } from '../credentials/auth-file.ts';

/** What every workflow is given beside its request. */
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
}
