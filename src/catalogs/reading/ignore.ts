/** A line of an `.indexignore`, which is read as a line of a `.gitignore`. */
interface Pattern {
  /** The folder of the `.indexignore`, in parts; the pattern concerns only what is below it. */
  readonly domain: readonly string[];
  readonly parts: readonly string[];
  readonly isNegated: boolean;
  readonly isForFolders: boolean;
  /** It has a slash: it is compared with the whole path, not with one name on the way. */
  readonly isAnchored: boolean;
}

/** Which files of a catalog are no part of it. */
export class IgnoredFiles {
  readonly #patterns: Pattern[] = [];

  /** @param folder of the `.indexignore` in the catalog; empty for the uppermost. */
  add(folder: string, content: string): void {
    const domain = folder.split('/').filter((part) => part !== '');
    for (const line of content.split(/\r?\n/)) {
      const text = line.trimEnd();
      if (text === '' || text.startsWith('#')) continue;
      const isNegated = text.startsWith('!');
      const bare = isNegated ? text.slice(1) : text.replace(/^\\(?=[!#])/, '');
      const isForFolders = bare.endsWith('/');
      const pattern = isForFolders ? bare.slice(0, -1) : bare;
      const parts = pattern.split('/');
      const isAnchored = parts.length > 1;
      if (parts[0] === '' && isAnchored) parts.shift();
      this.#patterns.push({ domain, parts, isNegated, isForFolders, isAnchored });
    }
  }

  /** Whether a file is left out; the last pattern that matches decides. */
  has(path: string): boolean {
    const parts = path.split('/');
    const last = this.#patterns.findLast((pattern) => matches(pattern, parts));
    return last !== undefined && !last.isNegated;
  }
}

function matches(pattern: Pattern, path: readonly string[]): boolean {
  const { domain, parts, isAnchored, isForFolders } = pattern;
  if (path.length <= domain.length || domain.some((part, index) => path[index] !== part))
    return false;
  const below = path.slice(domain.length);
  // What lies in a folder that matches, matches as well; the file itself is no folder.
  const ends = below.map((_, index) => index + 1).slice(0, isForFolders ? -1 : undefined);
  return isAnchored
    ? ends.some((end) => matchesParts(parts, below.slice(0, end)))
    : ends.some((end) => nameMatches(parts[0]!, below[end - 1]!));
}

function matchesParts(parts: readonly string[], path: readonly string[]): boolean {
  const [first, ...rest] = parts;
  if (first === undefined) return path.length === 0;
  if (first === '**' && rest.length === 0) return path.length > 0;
  if (first === '**') return path.some((_, at) => matchesParts(rest, path.slice(at)));
  return path[0] !== undefined && nameMatches(first, path[0]) && matchesParts(rest, path.slice(1));
}

/** A name and a pattern with `*`, `?` and `[…]`, without regular expressions: they could run away. */
function nameMatches(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let resumed = 0;
  let from = 0;
  while (from < name.length) {
    const step = pattern[at] === '*' ? undefined : oneMatches(pattern, at, name[from]!);
    if (step !== undefined) {
      at = step;
      from += 1;
    } else if (pattern[at] === '*') {
      star = at;
      resumed = from;
      at += 1;
    } else if (star !== -1) {
      resumed += 1;
      from = resumed;
      at = star + 1;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(at));
}

/** Where the pattern goes on, when what is at `at` matches the character. */
function oneMatches(pattern: string, at: number, character: string): number | undefined {
  const sign = pattern[at];
  if (sign === '?') return at + 1;
  if (sign === '\\') return pattern[at + 1] === character ? at + 2 : undefined;
  if (sign !== '[') return sign === character ? at + 1 : undefined;
  const end = pattern.indexOf(']', at + 2);
  if (end === -1) return undefined;
  const isNot = pattern[at + 1] === '^' || pattern[at + 1] === '!';
  const set = pattern.slice(at + (isNot ? 2 : 1), end);
  let isIn = false;
  for (let index = 0; index < set.length; index += 1) {
    if (set[index + 1] === '-' && index + 2 < set.length) {
      isIn ||= set[index]! <= character && character <= set[index + 2]!;
      index += 2;
    } else isIn ||= set[index] === character;
  }
  return isIn === isNot ? undefined : end + 1;
}
