import type { Environment } from '../../../core/context.ts';
import type { TransferEvent } from '../../../core/events.ts';
import { withoutPasswords } from '../../../core/http/user-info.ts';
import { printable } from '../../units.ts';
import { showable } from '../screen.ts';
import { statusText } from './bar.ts';
import type { Drawing, Progress } from './drawing.ts';
import { fitted, linesAbout, type LogLevel, type Shows } from './lines.ts';
import { liveProgress } from './live.ts';
import { Tally } from './tally.ts';

export type ProgressMode = 'auto' | 'plain' | 'json' | 'none';

const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];
/** Without a terminal, a line every so often shows that the run is alive. */
const LINE_INTERVAL_MS = 10_000;
const SHOWN_LEFT_OUT = 3;

export async function createProgress(
  how: { readonly mode: ProgressMode; readonly level: LogLevel },
  drawing: Pick<Drawing, 'stream' | 'screen'>,
  environment: Pick<Environment, 'env'>,
): Promise<Progress> {
  const progress = await progressOf(how, drawing, environment);
  const told = new Set<string>();
  return {
    observe: (event) => {
      if (event.type === 'noticed') {
        // Several steps of a run may read the same folder, and find the same in it.
        const text = JSON.stringify(event);
        if (told.has(text)) return;
        told.add(text);
      }
      progress.observe(SAYING.has(event.type) ? withoutPasswordsIn(event) : event);
    },
    stop: () => {
      progress.stop();
    },
  };
}

/** Events whose texts may quote what somebody has written, on the command line or in a file. */
const SAYING: ReadonlySet<TransferEvent['type']> = new Set([
  ...(['phase', 'noticed', 'retried', 'waiting', 'passed-over'] as const),
]);

function withoutPasswordsIn(event: TransferEvent): TransferEvent {
  return JSON.parse(JSON.stringify(event), (_key, value: unknown) =>
    typeof value === 'string' ? withoutPasswords(value) : value,
  ) as TransferEvent;
}

async function progressOf(
  { mode, level }: { readonly mode: ProgressMode; readonly level: LogLevel },
  { stream, screen }: Pick<Drawing, 'stream' | 'screen'>,
  { env }: Pick<Environment, 'env'>,
): Promise<Progress> {
  const shows: Shows = (needed) => LEVELS.indexOf(level) >= LEVELS.indexOf(needed);
  if (mode === 'json') {
    return {
      observe: (event) => {
        if (shows(levelOf(event))) stream.write(`${JSON.stringify(event)}\n`);
      },
      stop: () => undefined,
    };
  }
  const drawing = { stream, screen, shows };
  const canDraw = stream.isTTY && env['TERM'] !== 'dumb' && !isCi(env);
  const progress =
    mode === 'auto' && canDraw && shows('info')
      ? await liveProgress(drawing)
      : plainProgress(drawing, mode !== 'none' && shows('info'));
  return shows('debug') ? progress : withFewLeftOut(progress);
}

/** A bundle of which much is missing leaves out hundreds of images: the report counts them. */
function withFewLeftOut(progress: Progress): Progress {
  const told = new Set<string>();
  return {
    observe: (event) => {
      if (event.type === 'noticed' && event.code === 'left-out') {
        if (told.has(event.cause) || told.size === SHOWN_LEFT_OUT) return;
        told.add(event.cause);
      }
      progress.observe(event);
    },
    stop: () => {
      progress.stop();
    },
  };
}

/** Logs of a CI keep what is drawn over, each time. */
function isCi({ CI }: Environment['env']): boolean {
  return CI !== undefined && CI !== '' && CI !== 'false';
}

/**
 * How important an event is; the many small ones are for `debug`, but machines get them all at
 * `info`.
 */
function levelOf(event: TransferEvent): LogLevel {
  return event.type === 'noticed' ? 'warn' : 'info';
}

/** A line for each phase, and one every so often, also when nothing comes. */
function plainProgress({ stream, screen, shows }: Drawing, showsProgress: boolean): Progress {
  const tally = new Tally();
  const write = (lines: readonly string[]): void => {
    timer?.refresh();
    stream.write(`${showable(fitted(lines, screen.columns), screen)}\n`);
  };
  const line = (text: string): void => {
    write([printable(text)]);
  };
  const timer = showsProgress
    ? setInterval(() => {
        if (tally.phase !== '') line(statusText(tally));
      }, LINE_INTERVAL_MS).unref()
    : undefined;
  return {
    observe: (event) => {
      tally.add(event);
      const about = linesAbout(event, shows, { isLive: false });
      if (about !== undefined) write(about);
      else if (showsProgress && event.type === 'phase') line(event.what);
    },
    stop: () => {
      clearInterval(timer);
    },
  };
}
