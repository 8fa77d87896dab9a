import { printable, printableLine } from '../units.ts';
import { type Screen, showable, styled } from './screen.ts';
import { wrapped } from '../../core/text.ts';
import { broken, cut } from './wrap.ts';

/** The value of a fact: words, or hex digits that somebody compares with others. */
export type Value = string | { readonly hex: string };

/** Facts with their labels; one without a value is left out. A label may say how it stands. */
export type Rows = readonly (readonly [string, Value | undefined, Mood?])[];

/** A row of words for each thing. A column may be cut to what the screen has left for it. */
export interface Table {
  readonly heads?: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The number of the column that is cut. */
  readonly cut?: number;
  /** Whether the last column is broken into lines under each other; its cells may have several. */
  readonly wraps?: boolean;
}

/** A piece of a report. */
export type Block =
  /** The outcome, in a sentence: the first thing that is read. */
  | { readonly verdict: string; readonly mood: Mood }
  | { readonly text: string }
  /** Each on a line of its own, as it is to be typed, however long it is. */
  | { readonly commands: readonly string[] }
  /** Hex digits that somebody copies by hand, with no words beside them. */
  | { readonly hex: string }
  | { readonly facts: Rows }
  | { readonly table: Table };

export type Mood = 'good' | 'warning' | 'bad';

/** Blocks that stand together. There is an empty line between two sections. */
export type Section = readonly Block[];

/** What a command has to say to people. Sections without blocks are left out. */
export type Report = readonly Section[];

const INDENT = 2;
/** Between two columns. */
const GAP = 2;
/** Below this a value stands under its label. */
const LEAST_VALUE = 24;
/** Below this a column is not cut: the terminal breaks the lines then. */
const LEAST_CUT = 16;
const COLORS = { good: 'green', warning: 'yellow', bad: 'red' } as const;

/** The lines of a report, none of which is longer than the screen is wide, except commands. */
export function laidOut(report: Report, screen: Screen): string {
  const text = report
    .filter((section) => section.length > 0)
    .map((section) => section.flatMap((block) => linesOf(block, screen)).join('\n'))
    .join('\n\n');
  return showable(text, screen);
}

function linesOf(block: Block, screen: Screen): readonly string[] {
  if ('verdict' in block) {
    const style = ['bold', COLORS[block.mood]] as const;
    return paragraphs(block.verdict, screen).map((line) => styled([...style], line, screen));
  }
  if ('text' in block) return paragraphs(block.text, screen);
  if ('commands' in block) {
    return block.commands.map(
      (command) => ' '.repeat(INDENT) + styled('cyan', printable(command), screen),
    );
  }
  if ('hex' in block) {
    const margin = ' '.repeat(2 * INDENT);
    return hexLines(block, screen.columns - margin.length).map((line) => margin + line);
  }
  return 'facts' in block ? factLines(block.facts, screen) : tableLines(block.table, screen);
}

function paragraphs(text: string, { columns }: Screen): readonly string[] {
  return printable(text)
    .split('\n')
    .flatMap((line) => wrapped(line, columns));
}

/** `label  value` lines with the values under each other. */
function factLines(rows: Rows, screen: Screen): readonly string[] {
  const shown = rows.flatMap(([label, value, mood]) =>
    value === undefined ? [] : [{ label: printableLine(label), value, mood }],
  );
  const labels = Math.max(0, ...shown.map(({ label }) => label.length)) + GAP;
  const isNarrow = screen.columns - labels < LEAST_VALUE;
  const indent = isNarrow ? INDENT : labels;
  return shown.flatMap(({ label, value, mood }) => {
    const lines = valueLines(value, screen.columns - indent);
    const style = mood === undefined ? 'dim' : COLORS[mood];
    const first = styled(style, isNarrow ? label : label.padEnd(labels), screen);
    const margin = ' '.repeat(indent);
    if (isNarrow) return [first, ...lines.map((line) => margin + line)];
    return lines.map((line, number) => ((number === 0 ? first : margin) + line).trimEnd());
  });
}

function valueLines(value: Value, columns: number): readonly string[] {
  return typeof value === 'string'
    ? broken(printableLine(value), columns)
    : hexLines(value, columns);
}

/**
 * Hex digits as they are read aloud, written down and compared: in groups of eight, and as
 * many groups in each line.
 */
export function hexLines({ hex }: { readonly hex: string }, columns: number): readonly string[] {
  const groups = printable(hex).match(/.{1,8}/gs) ?? [];
  const fitting = [8, 4, 2].find((count) => count * 9 - 1 <= columns) ?? 1;
  return Array.from({ length: Math.ceil(groups.length / fitting) }, (_, line) =>
    groups.slice(line * fitting, (line + 1) * fitting).join(' '),
  );
}

/** Each name on a line of its own, and the other cells below it, for a screen that is narrow. */
function underNames(
  all: readonly (readonly string[])[],
  { heads, rows }: Pick<Table, 'heads' | 'rows'>,
  screen: Screen,
): readonly (readonly string[])[] {
  const margin = ' '.repeat(2 * INDENT);
  const others = rowLines(
    {
      ...(heads !== undefined && { heads: heads.slice(1) }),
      rows: rows.map((row) => row.slice(1)),
    },
    { ...screen, columns: screen.columns - margin.length },
  );
  return all.map(([name = ''], number) => {
    const isHead = number === 0 && heads !== undefined;
    const first = broken(name, screen.columns);
    const below = (others[number] ?? []).filter((line) => line.trim() !== '');
    return [
      ...(isHead ? first.map((line) => styled('dim', line, screen)) : first),
      ...below.map((line) => margin + line),
    ];
  });
}

/** The last column takes what the others leave; where that is too little, it stands below them. */
function wrappedTable({ heads, rows }: Table, screen: Screen): readonly string[] {
  const all = [...(heads === undefined ? [] : [heads]), ...rows].map((row) =>
    row.map((cell, index) => (index < row.length - 1 ? printableLine(cell) : printable(cell))),
  );
  const widths: number[] = [];
  for (const row of all)
    row
      .slice(0, -1)
      .forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
  const before = widths.reduce((sum, width) => sum + width + GAP, 0);
  const isNarrow = screen.columns - before < LEAST_VALUE;
  const margin = ' '.repeat(isNarrow ? 2 * INDENT : before);
  return all.flatMap((row, number) => {
    const names = row.slice(0, -1).map((cell, index) => cell.padEnd(widths[index]! + GAP));
    const room = screen.columns - margin.length;
    const cells = row
      .at(-1)!
      .split('\n')
      .flatMap((line) => wrapped(line, room));
    const lines = cells.filter((line) => line !== '').map((line) => margin + line);
    const first = names.join('');
    const together = isNarrow
      ? [...broken(first.trimEnd(), screen.columns), ...lines]
      : [(first + (lines[0] ?? '').slice(margin.length)).trimEnd(), ...lines.slice(1)];
    const isHead = number === 0 && heads !== undefined;
    return isHead ? together.map((line) => styled('dim', line, screen)) : together;
  });
}

function tableLines(table: Table, screen: Screen): readonly string[] {
  return table.wraps === true ? wrappedTable(table, screen) : rowLines(table, screen).flat();
}

/**
 * Columns under each other; the last one is not padded, and is broken into lines where the others
 * leave too little. Where names could not be told apart any more that are cut, or too little is
 * left for the last column, the names stand above the other columns.
 * @returns the lines of each row, that of the heads first.
 */
function rowLines(
  { heads, rows, cut: shrinking }: Table,
  screen: Screen,
): readonly (readonly string[])[] {
  const all = [...(heads === undefined ? [] : [heads]), ...rows].map((row) =>
    row.map(printableLine),
  );
  const widths: number[] = [];
  for (const row of all)
    row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
  const last = widths.length - 1;
  let excess = widths.reduce((sum, width) => sum + width + GAP, -GAP) - screen.columns;
  // The first column gives up something too, where that of the longest words cannot give enough.
  for (const index of shrinking === undefined ? [] : [shrinking, 0]) {
    const less = Math.max(0, Math.min(excess, widths[index]! - LEAST_CUT));
    widths[index]! -= less;
    excess -= less;
  }
  const firsts = new Set(rows.map(([first = '']) => printableLine(first)));
  const isTold = new Set([...firsts].map((first) => cut(first, widths[0]!))).size === firsts.size;
  const isTooWide = excess > 0 && widths[last]! - excess < LEAST_CUT;
  if (last > 0 && (!isTold || isTooWide))
    return underNames(all, { rows, ...(heads !== undefined && { heads }) }, screen);
  if (excess > 0) widths[last] = Math.max(1, widths[last]! - excess);
  return all.map((row, number) => {
    const before = row
      .slice(0, last)
      .map((cell, index) => cut(cell, widths[index]!).padEnd(widths[index]! + GAP))
      .join('');
    const end = row[last] ?? '';
    const ends = excess > 0 ? broken(end, widths[last]!) : [cut(end, widths[last]!)];
    const lines = ends.map((part, at) =>
      ((at === 0 ? before : ' '.repeat(before.length)) + part).trimEnd(),
    );
    const isHead = number === 0 && heads !== undefined;
    return isHead ? lines.map((line) => styled('dim', line, screen)) : lines;
  });
}
