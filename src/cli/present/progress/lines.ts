import { formatBytes, wrapped } from '../../../core/text.ts';
import type { TransferEvent } from '../../../core/events.ts';
import { formatDuration, printableLine } from '../../units.ts';
import { noticeText } from '../notices.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

export type Shows = (level: LogLevel) => boolean;

/**
 * The lines about an event that stay on the screen; `undefined` for an event that needs none.
 * @param isLive whether a retry is shown anyway, in what is drawn.
 */
export function linesAbout(
  event: TransferEvent,
  shows: Shows,
  { isLive }: { readonly isLive: boolean },
): readonly string[] | undefined {
  const at = (
    level: LogLevel,
    text: () => string | readonly string[] | undefined,
  ): readonly string[] | undefined => {
    const told = shows(level) ? text() : undefined;
    return told === undefined ? undefined : [told].flat().map(printableLine);
  };
  switch (event.type) {
    case 'noticed':
      return at('warn', () => noticeText(event));
    case 'retried':
      return at(isLive ? 'debug' : 'warn', () => retryText(event));
    case 'waiting':
      return at(isLive ? 'debug' : 'warn', () => waitingText(event));
    case 'passed-over':
      return at(passedOverLevel(event), () => passedOverText(event));
    case 'finished':
    case 'skipped':
      return at('debug', () => blobText(event));
    default:
      return undefined;
  }
}

function retryText({ what, cause, attempt, delayMs }: TransferEvent & { type: 'retried' }): string {
  const wait = delayMs < 50 ? 'at once' : `in ${waitOf(delayMs)}`;
  return `retry ${attempt} ${wait}: ${what}: ${cause}`;
}

/** The first waits are shorter than a second. */
function waitOf(ms: number): string {
  return ms < 950 ? `${(ms / 1000).toFixed(1)} s` : formatDuration(ms / 1000);
}

function waitingText({ what, silentMs }: TransferEvent & { readonly type: 'waiting' }): string {
  return `nothing has come for ${formatDuration(silentMs / 1000)}: ${what}`;
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

/** Lines as a terminal shows them. What is indented is to be copied: a line of it is never broken. */
export function fitted(lines: readonly string[], columns: number): string {
  return lines
    .flatMap((line) => (line.startsWith('  ') ? [line] : wrapped(line, columns)))
    .join('\n');
}
