import { join } from 'node:path';

import { BundleError, hasCode, systemCode } from '../core/errors.ts';
import { diskError, hostLimit, writeError } from '../files/disk-error.ts';
import { onAwaitedPipe } from '../files/reading/pipe.ts';
import { baseFolder, type Context } from '../core/context.ts';
import { count, flag, requiredText } from './arguments.ts';
import type { Arguments } from './command.ts';
import type { Io } from './io.ts';
import { limitsOf } from './limits.ts';
import { parseCommandLine } from './parse.ts';
import { failureJson, failureText, statusOf } from './present/failure.ts';
import { laidOut } from './present/layout.ts';
import type { LogLevel } from './present/progress/lines.ts';
import type { Progress } from './present/progress/drawing.ts';
import { createProgress, type ProgressMode } from './present/progress/progress.ts';
import { type ColorMode, NO_WISHES, screenOf } from './present/screen.ts';

const LINE_FEED = 0x0a;

/**
 * Runs one command line.
 * @returns the exit status.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let json = wantsJson(argv);
  let result = io.stdout;
  let wishes = NO_WISHES;
  let progress: Progress | undefined;
  const stop = (): void => progress?.stop();
  const deafen = onAwaitedPipe((name) => {
    progress?.observe({ type: 'noticed', code: 'pipe-awaited', name });
  });
  try {
    const invocation = await parseCommandLine(argv, io);
    if (invocation.command === undefined) {
      await writeResult(invocation.output, result);
      return 0;
    }
    const { command, args } = invocation;
    json = requiredText(args, 'output') === 'json';
    if (io.folderFault !== undefined) throw lostFolder(io.folderFault);
    wishes = { color: requiredText(args, 'color') as ColorMode, isVerbose: flag(args, 'verbose') };
    if (command.takesStdout?.(args)) result = io.stderr;
    progress = await createProgress(
      {
        mode: requiredText(args, 'progress') as ProgressMode,
        level: requiredText(args, 'log-level') as LogLevel,
      },
      { stream: io.stderr, screen: screenOf(io.stderr, io.environment, wishes) },
      io.environment,
    );
    // A run that is interrupted may take some seconds to wind up, or never come back from it.
    io.signal.addEventListener('abort', stop);
    const outcome = await command.run(args, contextOf(args, progress, io), io);
    stop();
    const screen = screenOf(result, io.environment, wishes);
    const { content, document, report, status = 0 } = outcome;
    if (content !== undefined) {
      await write(content, 'the file', io.stdout);
      // The report goes to the same terminal then, and begins on a line of its own.
      const isOpen = content.at(-1) !== LINE_FEED && io.stdout.isTTY && result.isTTY;
      if (isOpen) await writeResult('', result);
    }
    const text = json
      ? JSON.stringify(outcome.json, null, 2)
      : (document ?? laidOut(report(screen), screen));
    await writeResult(text, result).catch((error: unknown) => {
      throw error instanceof BundleError ? error.withHint(untold(status)) : error;
    });
    return status;
  } catch (error) {
    stop();
    const failure: unknown = io.signal.aborted
      ? interruptionOf(error, io.signal)
      : (hostLimit(error) ?? error);
    const screen = screenOf(io.stderr, io.environment, wishes);
    io.stderr.write(`${failureText(failure, screen)}\n`);
    if (json)
      await writeResult(JSON.stringify(failureJson(failure), null, 2), result).catch(
        () => undefined,
      ); // the failure decides
    return statusOf(failure);
  } finally {
    deafen();
    io.signal.removeEventListener('abort', stop);
  }
}

async function writeResult(text: string, stream: NodeJS.WriteStream): Promise<void> {
  await write(`${text}\n`, 'the result', stream);
}

/**
 * A reader that has seen enough (`| head`), or a terminal that was closed, is no failure of ours.
 * @throws BundleError DISK when a file takes no more.
 */
async function write(
  content: string | Uint8Array,
  what: string,
  stream: NodeJS.WriteStream,
): Promise<void> {
  const error = await new Promise<Error | null | undefined>((resolve) =>
    stream.write(content, resolve),
  );
  if (!error || systemCode(error) === (stream.isTTY ? 'EIO' : 'EPIPE')) return;
  throw diskError('write', what, error);
}

function contextOf(args: Arguments, { observe }: Progress, io: Io): Context {
  return {
    environment: io.environment,
    configFolder: join(baseFolder(io.environment, 'XDG_CONFIG_HOME'), 'bundle'),
    signal: io.signal,
    observe,
    now: new Date(),
    ...limitsOf(count(args, 'concurrency')),
  };
}

function untold(status: number): string {
  return (
    `The command itself has ended with status ${status}; only its result could not be printed. ` +
    'Send stdout elsewhere, and run the same command again to see it.'
  );
}

/** A command line that cannot be parsed still says how it wants its failure. */
function wantsJson(argv: readonly string[]): boolean {
  return argv.some(
    (word, index) =>
      word === '--output=json' || (word === '--output' && argv[index + 1] === 'json'),
  );
}

/** Paths that were given could mean anything then. */
function lostFolder(cause: unknown): BundleError {
  return writeError('find', 'the folder that this command was started in', cause).withHint(
    'It was removed or unmounted: change to another one (cd /), and run the same command again.',
  );
}

/** The error that a signal becomes: the abort reason of the whole run. */
export function interruption(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): BundleError {
  const status = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }[signal];
  return new BundleError('INTERRUPTED', `interrupted by ${signal}`, {
    status,
    hint: 'To continue, run the same command again.',
  });
}

/**
 * What is reported of a run that was interrupted: whatever failed because of that is not worth a
 * word, unless it says how far the run has come.
 */
function interruptionOf(error: unknown, { reason }: AbortSignal): unknown {
  return hasCode(error, 'INTERRUPTED') && error.cause === reason ? error : reason;
}

/**
 * The last words of a run that does not wait for its work to wind up.
 * @returns the exit status.
 */
export function endAtOnce(
  reason: BundleError,
  { stderr, environment }: Pick<Io, 'stderr' | 'environment'>,
): number {
  stderr.write(`${failureText(reason, screenOf(stderr, environment, NO_WISHES))}\n`);
  return reason.exitStatus;
}
