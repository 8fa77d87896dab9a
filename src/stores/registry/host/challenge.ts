/** One way in that a server offers in `WWW-Authenticate`. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** By their names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const SEPARATORS = /[ \t,]*/y;
const SPACE = /[ \t]*/y;
const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/sy;
const UNQUOTED = /[^\s,"]*/y;

/**
 * Reads the challenges of a `WWW-Authenticate` header or several of them (RFC 9110 section 11.6.1).
 * Skips anything that does not fit the grammar, so that as many servers as possible can be used.
 */
export function parseChallenges(
  header: string | readonly string[] | undefined,
): readonly Challenge[] {
  if (header === undefined) return [];
  return typeof header === 'string' ? parseOne(header) : header.flatMap((line) => parseOne(line));
}

function parseOne(text: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = position;
    const match = pattern.exec(text) ?? undefined;
    if (match) position = pattern.lastIndex;
    return match;
  };
  while (position < text.length) {
    take(SEPARATORS);
    const word = take(TOKEN)?.[0];
    if (word === undefined) {
      position++;
      continue;
    }
    const afterWord = position;
    take(SPACE);
    if (text[position] === '=') {
      position++;
      take(SPACE);
      const quoted = take(QUOTED)?.[1];
      const value =
        quoted === undefined ? (take(UNQUOTED)?.[0] ?? '') : quoted.replace(/\\(.)/gs, '$1');
      const parameters = challenges.at(-1)?.parameters;
      if (parameters && !parameters.has(word.toLowerCase()))
        parameters.set(word.toLowerCase(), value);
      continue;
    }
    challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
    if (position > afterWord) take(TOKEN68);
  }
  return challenges;
}
