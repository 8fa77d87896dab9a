import type { Context } from '../../src/core/context.ts';

/** The run of somebody whose keys are in a folder, without an environment, and seen by nobody. */
export function contextIn(configFolder: string, more: Partial<Context> = {}): Context {
  return {
    environment: { env: {}, home: configFolder, uid: 0 },
    configFolder,
    signal: new AbortController().signal,
    observe: () => undefined,
    now: new Date(),
    concurrency: 4,
    lookups: 4,
    ...more,
  };
}
