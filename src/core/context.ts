import { isAbsolute, join } from 'node:path';

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

/** The variables of the XDG base directory specification, and what each stands for if it is unset. */
const BASE_FOLDERS = {
  XDG_CONFIG_HOME: '.config',
  XDG_DATA_HOME: '.local/share',
  XDG_CACHE_HOME: '.cache',
} as const;

/**
 * A folder of the XDG base directory specification, which has relative paths ignored: whose keys
 * count must not depend on the working folder.
 */
export function baseFolder(
  { env, home }: Pick<Environment, 'env' | 'home'>,
  variable: keyof typeof BASE_FOLDERS,
): string {
  return absolute(env[variable]) ?? join(home, BASE_FOLDERS[variable]);
}

/** A path of the environment that is none where it is empty or relative. */
export function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
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
