import type { Ora } from 'ora';

import type { Observe, TransferEvent } from '../../core/events.ts';
import { formatBytes, formatDuration, printable } from '../units.ts';
import { noticeText } from './notices.ts';
import { withColumns } from './terminal.ts';

export type ProgressMode = 'auto' | 'plain' | 'json' | 'none';
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** Draws a run on stderr. */
export interface Progress {
  readonly observe: Observe;
  /** Takes everything off the screen that will not stay. */
  stop(): void;
}

const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];
const DRAW_INTERVAL_MS = 100;
/** Without a terminal, a line every so often shows that the run is alive. */
const LINE_INTERVAL_MS = 10_000;

export async function createProgress(
  mode: ProgressMode,
  level: LogLevel,
  stream: NodeJS.WriteStream,
): Promise<Progress> {
  const shows = (needed: LogLevel): boolean => LEVELS.indexOf(level) >= LEVELS.indexOf(needed);
  if (mode === 'json') {
    return {
      observe: (event) => {
        if (shows(levelOf(event))) stream.write(`${JSON.stringify(event)}\n`);
      },
      stop: () => undefined,
    };
  }
  const live = mode === 'auto' && stream.isTTY && shows('info');
  if (live) {
    withColumns(stream);
    // Only where something is drawn: it costs a tenth of the start.
    const { default: ora } = await import('ora');
    return liveProgress(ora({ stream, discardStdin: false }), stream, shows);
  }
  return plainProgress(stream, shows, mode !== 'none');
}

/**
 * How important an event is; the many small ones are for `debug`, but machines get them all at
 * `info`.
 */
function levelOf(event: TransferEvent): LogLevel {
  return event.type === 'noticed' ? 'warn' : 'info';
}

/** Counts how much has been moved, of how much, and how fast. */
class Tally {
  #blobs = 0;
  #bytes = 0;
  #doneBlobs = 0;
  #doneBytes = 0;
  #movedBytes = 0;
  #since = performance.now();

  /** Whether the amount of work is known. */
  get isPlanned(): boolean {
    return this.#blobs > 0;
  }

  add(event: TransferEvent): void {
    if (event.type === 'planned') {
      this.#blobs = event.blobs;
      this.#bytes = event.bytes;
      this.#since = performance.now();
    } else if (event.type === 'advanced') {
      this.#doneBytes += event.bytes;
      this.#movedBytes += event.bytes;
    } else if (event.type === 'skipped') {
      this.#doneBlobs += 1;
      this.#doneBytes += event.bytes;
    } else if (event.type === 'finished') {
      this.#doneBlobs += 1;
    }
  }

  toString(): string {
    const seconds = (performance.now() - this.#since) / 1000;
    const rate = seconds > 0.5 ? this.#movedBytes / seconds : 0;
    const amount =
      `${this.#doneBlobs} of ${this.#blobs} blobs, ` +
      `${formatBytes(this.#doneBytes)} of ${formatBytes(this.#bytes)}`;
    if (rate <= 0) return amount;
    return (
      `${amount}, ${formatBytes(rate)}/s, ` +
      `${formatDuration((this.#bytes - this.#doneBytes) / rate)} left`
    );
  }
}

function liveProgress(
  spinner: Ora,
  stream: NodeJS.WriteStream,
  shows: (level: LogLevel) => boolean,
): Progress {
  const tally = new Tally();
  let what = '';
  let drawn = 0;
  const draw = (): void => {
    drawn = performance.now();
    spinner.text = tally.isPlanned ? `${what}: ${tally.toString()}` : what;
    if (!spinner.isSpinning) spinner.start();
  };
  const line = (text: string): void => {
    spinner.clear();
    stream.write(`${printable(text)}\n`);
    if (spinner.isSpinning) spinner.render();
  };
  return {
    observe: (event) => {
      tally.add(event);
      if (event.type === 'phase') {
        what = event.what;
        draw();
      } else if (event.type === 'noticed') line(noticeText(event));
      else if (event.type === 'retried') line(retryText(event));
      else if (event.type === 'passed-over') {
        if (shows(passedOverLevel(event))) line(passedOverText(event));
      } else if (shows('debug') && (event.type === 'finished' || event.type === 'skipped'))
        line(blobText(event));
      else if (performance.now() - drawn > DRAW_INTERVAL_MS) draw();
    },
    stop: () => {
      spinner.stop();
    },
  };
}

function plainProgress(
  stream: NodeJS.WriteStream,
  shows: (level: LogLevel) => boolean,
  showsProgress: boolean,
): Progress {
  const tally = new Tally();
  let written = 0;
  const line = (text: string): void => {
    written = performance.now();
    stream.write(`${printable(text)}\n`);
  };
  const info = showsProgress && shows('info');
  return {
    observe: (event) => {
      tally.add(event);
      if (event.type === 'noticed') {
        if (shows('warn')) line(noticeText(event));
      } else if (event.type === 'retried') {
        if (shows('warn')) line(retryText(event));
      } else if (event.type === 'passed-over') {
        if (shows(passedOverLevel(event))) line(passedOverText(event));
      } else if (!info) return;
      else if (event.type === 'phase')
        line(tally.isPlanned ? `${event.what}: ${tally.toString()}` : event.what);
      else if (shows('debug') && (event.type === 'finished' || event.type === 'skipped'))
        line(blobText(event));
      else if (tally.isPlanned && performance.now() - written > LINE_INTERVAL_MS)
        line(tally.toString());
    },
    stop: () => undefined,
  };
}

function retryText({ what, cause, attempt, delayMs }: TransferEvent & { type: 'retried' }): string {
  const wait = delayMs > 0 ? ` in ${formatDuration(delayMs / 1000)}` : '';
  return `retry ${attempt}${wait}: ${what}: ${cause}`;
}

/** That a mirror lacks something is normal; that it fails is worth a warning. */
function passedOverLevel({ code }: TransferEvent & { type: 'passed-over' }): LogLevel {
  return code === 'NOT_FOUND' ? 'debug' : 'warn';
}

function passedOverText({ place, what, cause }: TransferEvent & { type: 'passed-over' }): string {
  return `${place} is passed over, cannot ${what}: ${cause}`;
}

function blobText({
  type,
  digest,
  bytes,
  image,
}: TransferEvent & { type: 'finished' | 'skipped' }): string {
  return (
    `${type === 'finished' ? 'done' : 'there already'}: ` +
    `${digest} ${formatBytes(bytes)} (${image})`
  );
}
