import { styleText } from 'node:util';

import type { Environment } from '../../core/context.ts';

/** Columns of a terminal that does not say how many it has. */
export const USUAL_COLUMNS = 80;
const MIN_COLUMNS = 10;

export type ColorMode = 'auto' | 'always' | 'never';

/** Where text for people goes, as far as it decides how the text looks. */
export interface Screen {
  /** Infinite where no line has to be broken, as in a file. */
  readonly columns: number;
  readonly hasColor: boolean;
  /** Whether characters outside ASCII can be shown. */
  readonly hasUnicode: boolean;
  /** Whether every fact is wanted, and every digest whole. */
  readonly isVerbose: boolean;
}

/** The members of a terminal's stream that say how it looks. */
export type Shown = Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>;

export interface Wishes {
  readonly color: ColorMode;
  readonly isVerbose: boolean;
}

/** For what goes wrong before the command line is understood. */
export const NO_WISHES: Wishes = { color: 'auto', isVerbose: false };

export function screenOf(
  stream: Shown,
  { env }: Pick<Environment, 'env'>,
  { color, isVerbose }: Wishes,
): Screen {
  return {
    columns: stream.isTTY ? columnsOf(stream.columns) : Number.POSITIVE_INFINITY,
    hasColor: color === 'auto' ? takesColor(stream, env) : color === 'always',
    hasUnicode: /utf-?8/i.test(localeOf(env)),
    isVerbose,
  };
}

/** The first that is set of the variables for characters, in POSIX's order; an empty one is unset. */
function localeOf(env: Environment['env']): string {
  return [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((set) => set) ?? '';
}

/**
 * Serial consoles, and terminals that scripts make, often have 0 columns. In very few nobody can read
 * anything, and what breaks lines would have no room for a word.
 */
export function columnsOf(said: number): number {
  return Number.isSafeInteger(said) && said >= MIN_COLUMNS ? said : USUAL_COLUMNS;
}

/** https://no-color.org and https://force-color.org: an empty variable counts as unset. */
function takesColor({ isTTY }: Shown, env: Environment['env']): boolean {
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR']) return env['FORCE_COLOR'] !== '0';
  return isTTY && env['TERM'] !== 'dumb';
}

type Style = Parameters<typeof styleText>[0];

/** Text with a colour where the screen has colours. */
export function styled(style: Style, text: string, { hasColor }: Pick<Screen, 'hasColor'>): string {
  return hasColor ? styleText(style, text, { validateStream: false }) : text;
}

/** Text in characters that the screen can show; our own are ASCII but for this one. */
export function showable(text: string, { hasUnicode }: Pick<Screen, 'hasUnicode'>): string {
  return hasUnicode ? text : text.replaceAll('\u2026', '...');
}
