import type { Options, Ora } from 'ora';

import { showable, styled } from '../screen.ts';
import { progressLines } from './bar.ts';
import type { Drawing, Progress } from './drawing.ts';
import { Tally } from './tally.ts';
import { withColumns } from './terminal.ts';
import { fitted, linesAbout } from './lines.ts';

/** At most this often something is drawn. */
const DRAW_INTERVAL_MS = 120;
const FRAMES = {
  unicode: ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'],
  ascii: ['-', '\\', '|', '/'],
};
/** The spinner and two blanks behind it. */
const LEAD = 3;
/** Stays free at the end of a line for the `^C` that a terminal shows, which must not wrap. */
const FREE = 3;

/** Draws a run in place, on a terminal that can be drawn on. */
export async function liveProgress(drawing: Drawing): Promise<Progress> {
  const { stream, screen, shows } = drawing;
  withColumns(stream);
  // Only where something is drawn: it costs a tenth of the start.
  const { default: ora } = await import('ora');
  const tally = new Tally();
  let widths: readonly number[] = [];
  const spinner = ora({
    ...{ stream, discardStdin: false, isEnabled: true, color: false },
    interval: DRAW_INTERVAL_MS,
    spinner: {
      frames: FRAMES[screen.hasUnicode ? 'unicode' : 'ascii'].map((frame) =>
        styled('cyan', frame, screen),
      ),
    },
    suffixText: () => {
      const columns = Math.max(1, stream.columns - LEAD - FREE);
      const lines = progressLines(tally, { ...screen, columns });
      // Without colours, as wide as it stands on the screen.
      const plain = progressLines(tally, { ...screen, columns, hasColor: false });
      widths = plain.map(({ length }) => length + LEAD);
      return lines.join(`\n${' '.repeat(LEAD)}`);
    },
  } satisfies Options);
  const lines = new Lines(stream);
  const redraw = (): void => {
    if (spinner.isSpinning) clearReflowed(spinner, stream, widths);
  };
  stream.on('resize', redraw);
  let isStopped = false;
  return {
    observe: (event) => {
      if (isStopped) return;
      tally.add(event);
      if (event.type === 'asking') {
        lines.flush();
        spinner.stop();
        return;
      }
      const about = linesAbout(event, shows, { isLive: true });
      if (about !== undefined) lines.add(showable(fitted(about, stream.columns), screen));
      if (!spinner.isSpinning) spinner.start();
    },
    stop: () => {
      isStopped = true;
      stream.off('resize', redraw);
      lines.flush();
      spinner.stop();
    },
  };
}

/**
 * Lines that stay above what is drawn. Many at once are written at once: each write draws again
 * what stands below.
 */
class Lines {
  readonly #stream: NodeJS.WriteStream;
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  add(line: string): void {
    this.#waiting.push(`${line}\n`);
    this.#timer ??= setTimeout(() => {
      this.flush();
    }, DRAW_INTERVAL_MS);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#waiting.join('');
    this.#waiting = [];
    if (text !== '') this.#stream.write(text);
  }
}

/**
 * Takes off the screen what was drawn before the terminal became narrower. Terminals break lines
 * anew then, so that they take more rows than ora believes. The cursor goes to where ora expects
 * it.
 */
function clearReflowed(spinner: Ora, stream: NodeJS.WriteStream, widths: readonly number[]): void {
  const rows = widths.reduce(
    (sum, width) => sum + Math.max(1, Math.ceil(width / stream.columns)),
    0,
  );
  if (rows > widths.length) {
    stream.cursorTo(0);
    stream.moveCursor(0, 1 - rows);
    stream.clearScreenDown();
    stream.moveCursor(0, widths.length - 1);
  }
  spinner.render();
}
