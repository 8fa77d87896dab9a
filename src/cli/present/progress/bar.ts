import { formatBytes } from '../../../core/text.ts';
import { formatDuration } from '../../units.ts';
import { type Screen, styled } from '../screen.ts';
import { cut } from '../wrap.ts';
import type { Tally, Work } from './tally.ts';

const LEAST_BAR = 10;
const LARGEST_BAR = 30;
const GAP = '  ';
/** Room for numbers as they change, so that the bar keeps its length. */
const WIDTHS = {
  bytes: '999.9 MB'.length,
  rate: '999.9 MB/s'.length,
  left: '59 min 59 s left'.length,
};

type Look = Pick<Screen, 'columns' | 'hasColor' | 'hasUnicode'>;

/**
 * The two lines that show a run: how far it is, and what it is doing now. Neither is longer than
 * the screen has columns, so that a line never takes two rows.
 */
export function progressLines(tally: Tally, look: Look): readonly string[] {
  const { work } = tally;
  if (work === undefined) return [cut(statusText(tally), look.columns)];
  return [barLine(tally, work, look), cut(nowText(tally), look.columns)];
}

/** The same in words, for a line that stays. */
export function statusText(tally: Tally): string {
  const { phase, work, count, quietSeconds, phaseSeconds, rate, secondsLeft } = tally;
  const facts =
    work === undefined
      ? [count === undefined ? undefined : countText(count)]
      : [
          `${share(work)}%`,
          `${formatBytes(work.doneBytes)} of ${formatBytes(work.bytes)}`,
          rate === undefined ? undefined : `${formatBytes(rate)}/s`,
          secondsLeft === undefined ? undefined : `${formatDuration(secondsLeft)} left`,
        ];
  const isQuiet = quietSeconds > 0 && (work !== undefined || count !== undefined);
  const told = [
    ...facts,
    isQuiet ? `nothing came for ${formatDuration(quietSeconds)}` : undefined,
    !isQuiet && quietSeconds > 0 ? `for ${formatDuration(phaseSeconds)}` : undefined,
  ].filter((fact) => fact !== undefined);
  return told.length === 0 ? phase : `${phase}: ${told.join(', ')}`;
}

function barLine(tally: Tally, work: Work, look: Look): string {
  const { rate, secondsLeft, quietSeconds } = tally;
  const percent = `${share(work)}%`.padStart('100%'.length);
  const bytes =
    `${formatBytes(work.doneBytes).padStart(WIDTHS.bytes)} of ` +
    formatBytes(work.bytes).padEnd(WIDTHS.bytes);
  const speed = (rate === undefined ? '' : `${formatBytes(rate)}/s`).padStart(WIDTHS.rate);
  const time =
    quietSeconds > 0 && work.doneBytes < work.bytes
      ? `stalled ${formatDuration(quietSeconds)}`
      : secondsLeft === undefined
        ? ''
        : `${formatDuration(secondsLeft)} left`;
  const left = time.padEnd(WIDTHS.left);
  // What matters least goes first where there is no room.
  const choices = [
    [percent, bytes, speed, left],
    [percent, bytes, left],
    [percent, left],
    [percent],
  ];
  for (const facts of choices) {
    const words = facts.join(GAP);
    const room = look.columns - words.length - GAP.length;
    if (room < LEAST_BAR) continue;
    return `${bar(work, Math.min(room, LARGEST_BAR), look)}${GAP}${words}`.trimEnd();
  }
  return cut(percent.trim(), look.columns);
}

function bar(work: Work, columns: number, look: Look): string {
  const [left, right, full, empty] = look.hasUnicode
    ? ['', '', '\u2588', '\u2591']
    : ['[', ']', '#', '.'];
  const room = columns - left.length - right.length;
  const done = Math.floor((share(work) / 100) * room);
  return (
    left +
    styled('cyan', full.repeat(done), look) +
    styled('dim', empty.repeat(room - done), look) +
    right
  );
}

/** In whole percent; 100 is for what is done. */
function share({ doneBytes, bytes }: Work): number {
  return bytes === 0 ? 100 : Math.floor((doneBytes / bytes) * 100);
}

function nowText({ phase, retry, current, count }: Tally): string {
  if (retry !== undefined) return retry;
  if (current === undefined) return count === undefined ? phase : `${phase}: ${countText(count)}`;
  return `${phase}: ${current.image}${current.others === 0 ? '' : ` and ${current.others} more`}`;
}

function countText({ what, done, total }: NonNullable<Tally['count']>): string {
  return `${done} of ${total} ${what}`;
}
