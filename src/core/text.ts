/** Text of a stranger for a message: one line, no control or invisible characters, no flood. */
export function oneLine(text: string, limit = 300): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return line.length > limit ? `${line.slice(0, limit)}…` : line;
}

/** Text as a POSIX shell reads it as one word: in quotes where it has to be. */
export function shellWord(text: string): string {
  return /^[\w./:@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
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

/** An option with each of its values, as words of a command line for a shell. */
export function optionWords(name: string, values: readonly string[]): readonly string[] {
  return values.flatMap((value) => [`--${name}`, shellWord(value)]);
}

/** Orders text by its characters, the same on every machine: for `sort`. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
