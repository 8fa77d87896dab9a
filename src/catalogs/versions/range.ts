import { compareVersions, parseVersion, type Version } from './version.ts';

/** Whether a version is in a range. */
export type Range = (version: Version) => boolean;

const OPERATORS: Readonly<Record<string, (order: number) => boolean>> = {
  '': (order) => order === 0,
  '=': (order) => order === 0,
  '==': (order) => order === 0,
  '!': (order) => order !== 0,
  '!=': (order) => order !== 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
};

/**
 * A range as catalogs write it (`skipRange`, `versionRange`): comparisons that are joined by spaces
 * (and) and `||` (or), with `x` as a wildcard. It follows the parser of OLM, which is blang/semver,
 * in its peculiarities, too: a comparison of one character is passed over.
 * @returns `undefined` for what OLM does not understand.
 */
export function parseRange(text: string): Range | undefined {
  const alternatives: Range[] = [];
  for (const alternative of alternativesOf(wordsOf(text)) ?? []) {
    const comparisons: Range[] = [];
    for (const word of alternative) {
      const parsed = withoutWildcard(word)?.map(comparison);
      if (parsed === undefined) return undefined;
      for (const range of parsed) {
        if (range === undefined) return undefined;
        comparisons.push(range);
      }
    }
    alternatives.push((version) => comparisons.every((range) => range(version)));
  }
  if (alternatives.length === 0) return undefined;
  return (version) => alternatives.some((range) => range(version));
}

/** Words between spaces; a space behind an operator separates nothing. */
function wordsOf(text: string): readonly string[] {
  const words: string[] = [];
  let start = 0;
  let last = '';
  const add = (end: number): void => {
    if (start < end - 1) words.push(text.slice(start, end).replaceAll(' ', ''));
  };
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] !== ' ') last = text[at]!;
    else if (!['>', '<', '='].includes(last)) {
      add(at);
      start = at + 1;
    }
  }
  add(text.length);
  return words;
}

function alternativesOf(words: readonly string[]): readonly (readonly string[])[] | undefined {
  const alternatives: string[][] = [[]];
  for (const [index, word] of words.entries()) {
    if (word !== '||') alternatives.at(-1)!.push(word);
    else if (index === 0) return undefined;
    else alternatives.push([]);
  }
  return alternatives.at(-1)!.length === 0 ? undefined : alternatives;
}

/** Comparisons with whole versions that say the same as one with a wildcard. */
function withoutWildcard(word: string): readonly string[] | undefined {
  const parts = splitComparison(word);
  if (parts === undefined || !word.includes('.x')) return parts && [word];
  const [operator, version] = parts;
  const lowest = firstOf(version);
  const next = firstBehind(version, lowest);
  switch (operator) {
    case '>':
      return [`>=${next}`];
    case '<=':
      return [`<${next}`];
    case '>=':
    case '<':
      return [`${operator}${lowest}`];
    case '':
    case '=':
    case '==':
      return [`>=${lowest}`, `<${next}`];
    case '!':
    case '!=':
      return [`<${lowest}`, `>=${next}`];
    default:
      return [lowest];
  }
}

/** `1.2.x` is 1.2.0 at least. */
function firstOf(version: string): string {
  const flat = version.replace('.x.x', '.x').replace('.x', '.0');
  return flat.split('.').length === 2 ? `${flat}.0` : flat;
}

/** The first version behind a wildcard; empty where OLM finds none, so that nothing matches. */
function firstBehind(version: string, lowest: string): string {
  const written = version.split('.');
  const numbers = lowest.split('.');
  const raised = written.at(-1) === 'x' ? written.length - 2 : -1;
  if ((raised !== 0 && raised !== 1) || !/^\d+$/.test(numbers[raised] ?? '')) return '';
  numbers[raised] = String(BigInt(numbers[raised]!) + 1n);
  return numbers.join('.');
}

function comparison(word: string): Range | undefined {
  const parts = splitComparison(word);
  if (parts === undefined) return undefined;
  const holds = OPERATORS[parts[0]];
  const bound = parseVersion(parts[1]);
  if (holds === undefined || bound === undefined) return undefined;
  return (version) => holds(compareVersions(version, bound));
}

/** The operator before the first digit, and the rest. */
function splitComparison(word: string): readonly [string, string] | undefined {
  const digit = word.search(/\d/);
  return digit === -1 ? undefined : [word.slice(0, digit), word.slice(digit)];
}
