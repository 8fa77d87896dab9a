/** Text of a stranger for a message: one line, no control or invisible characters, no flood. */
export function oneLine(text: string, limit = 300): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return line.length > limit ? `${line.slice(0, limit)}…` : line;
}

/** What a terminal does not show, or takes for a command, and nobody can type. */
const UNTYPEABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Text as a shell reads it as one word: in quotes where it has to be. A character that cannot be
 * typed is told by its bytes, as bash and zsh read it.
 */
export function shellWord(text: string): string {
  if (/^[\w./:@%+,=-]+$/.test(text)) return text;
  if (text.search(UNTYPEABLE) === -1) return `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const bytes = (character: string): string =>
    [...Buffer.from(character)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  return `$'${text.replaceAll(/['\\]/g, String.raw`\$&`).replaceAll(UNTYPEABLE, bytes)}'`;
}

/** A path as a word for a shell, which no program takes for an option; a lone `-` is none. */
export function pathWord(path: string): string {
  return shellWord(path.startsWith('-') && path !== '-' ? `./${path}` : path);
}

/** A folder in a sentence: the one that somebody is in has no name of its own. */
export function folderText(folder: string): string {
  return folder === '.' || folder === '' ? 'the current folder' : folder;
}

/**
 * A URL for messages, without what may be a secret: user and password, and all behind the path.
 * @param url what somebody has written; it may be none.
 */
export function shownUrl(url: string): string {
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(url) && URL.canParse(url);
  if (isUrl) {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  }
  return /[@?#]/.test(url) ? 'a text with @, ? or # in it, which may be a secret' : oneLine(url);
}

/** More words than these make a list that nobody reads. */
const FEW = 3;

/** The first few words of a list, and how many more it has. */
export function few(words: readonly string[]): readonly string[] {
  if (words.length <= FEW + 1) return words;
  return [...words.slice(0, FEW), `${words.length - FEW} more`];
}

/**
 * An option with each of its values, as words of a command line for a shell. A value that begins as
 * an option does has to be in one word with its own.
 */
export function optionWords(name: string, values: readonly string[]): readonly string[] {
  return values.flatMap((value) =>
    value.startsWith('-') && value !== '-'
      ? [`--${name}=${shellWord(value)}`]
      : [`--${name}`, shellWord(value)],
  );
}

/** `1 volume`, `2 volumes`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** `1.30 GB`: decimal, as media are sold and shown. */
export function formatBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? String(bytes) : value.toFixed(value < 10 ? 2 : 1)} ${UNITS[power]!}`;
}

/** The same for two sizes that are compared, and may differ in a few bytes. */
export function exactBytes(bytes: number): string {
  const short = formatBytes(bytes);
  return bytes < 1000 ? short : `${short}, ${bytes} bytes`;
}

/** What images consist of beside their manifests: with these, they are blobs. */
export function leavesText(count: number): string {
  return counted(count, 'config or layer', 'configs and layers');
}

/** Orders text by its characters, the same on every machine: for `sort`. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** More slips than these make another word. */
const MOST_SLIPS = 2;

/** The word that somebody meant who made a slip or two; `undefined` where there is none. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const allowed = Math.min(MOST_SLIPS, Math.floor(word.length / 2));
  const [best] = words
    .map((known) => ({ known, slips: slips(word, known) }))
    .toSorted((a, b) => a.slips - b.slips);
  return best !== undefined && best.slips <= allowed ? best.known : undefined;
}

/**
 * How many letters are left out, put in, exchanged for another, or exchanged with their neighbour:
 * the distance of Damerau and Levenshtein.
 */
function slips(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const above = rows[i - 1]!;
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(
        Math.min(
          above[j]! + 1,
          row[j - 1]! + 1,
          above[j - 1]! + (isSame ? 0 : 1),
          isSwapped ? rows[i - 2]![j - 2]! + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/**
 * Lines of at most so many columns, broken between words, with the margin of the first one. A word
 * that is longer, as a path or a reference is, is not broken: it has to be copied as it is.
 */
export function wrapped(text: string, columns: number): readonly string[] {
  if (text.length <= columns) return [text];
  const [margin = ''] = /^ */.exec(text) ?? [];
  const lines: string[] = [];
  let line = margin;
  for (const word of text.trim().split(/ +/)) {
    const isFirst = line.length === margin.length;
    if (!isFirst && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = margin + word;
    } else line += isFirst ? word : ` ${word}`;
  }
  return [...lines, line];
}
