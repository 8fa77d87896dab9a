import type { Environment } from '../core/context.ts';

/** The outside world as commands see it; `bin.ts` makes the real one. */
export interface Io {
  readonly environment: Environment;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
  /** What the system said to the question for the working folder; `undefined` if there is one. */
  readonly folderFault: unknown;
  readonly signal: AbortSignal;
}
