import type { Options, PositionalOptions } from 'yargs';

import type { Context } from '../core/context.ts';
import type { Io } from './io.ts';
import type { Report } from './present/layout.ts';
import type { Screen } from './present/screen.ts';

/** The result of a command: the same facts for people and for programs. */
export interface Outcome {
  readonly report: (screen: Screen) => Report;
  readonly json: unknown;
  /** Takes the place of both, where --output asks for another format: a drawing. */
  readonly document?: string;
  /**
   * What a command that takes stdout writes there, byte for byte, when nothing is drawn any more:
   * both may be one terminal.
   */
  readonly content?: Uint8Array;
  /**
   * The exit status, where it is not 0 though there is a result: a part of the work is done, or the
   * result is that something is wrong.
   */
  readonly status?: number;
}

/**
 * The exit status of a run that is partly done: the user asked for part of the work, or a pipe
 * could not be read again. The report lists the rest (docs/exit-status.md).
 */
export const PARTLY_DONE = 30;

/** Arguments as yargs leaves them; commands read them with the functions of arguments.ts. */
export type Arguments = Readonly<Record<string, unknown>>;

/** What a command takes, and does. Its name and purpose stand in command-table.ts. */
export interface Command {
  /** Shown first in the help. Command line and what it does. */
  readonly examples: readonly (readonly [string, string])[];
  readonly positionals: Readonly<Record<string, PositionalOptions>>;
  readonly options: Readonly<Record<string, Options>>;
  /** Whether stdout is taken by something else than the result, which goes to stderr then. */
  takesStdout?(args: Arguments): boolean;
  run(args: Arguments, context: Context, io: Io): Promise<Outcome>;
}
