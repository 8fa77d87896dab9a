import { BundleError } from '../../../core/errors.ts';
import { oneLine } from '../../../core/text.ts';

/** Whether a path of a chart is left out. @param path without a slash at its end. */
export type Ignored = (path: string, isFolder: boolean) => boolean;

/** The rule that Helm adds to every file. */
const ALWAYS = 'templates/.?*';

interface Rule {
  readonly pattern: RegExp;
  /** The pattern has a slash in it: it is held against the whole path, else against the last name. */
  readonly isPath: boolean;
  readonly isForFolders: boolean;
  readonly isNegated: boolean;
}

/** A chart without a `.helmignore`. */
export const ignoreNothing: Ignored = ignoredBy([ruleOf(ALWAYS)]);

/**
 * Reads a `.helmignore` by Helm's rules (helm.sh/helm `pkg/ignore`): one glob a line, `#` comments,
 * `/` at the end for folders alone, and at the begin for the chart's own folder. A rule with `!`
 * leaves out whatever it does not match. The first rule that leaves a path out decides.
 * @param what the file is, for messages.
 * @throws BundleError UNSUPPORTED_CONTENT for what Helm refuses: `**`.
 */
export function readHelmIgnore(bytes: Uint8Array, what: string): Ignored {
  const lines = Buffer.from(bytes).toString('utf8').split(/\r?\n/);
  const globs = lines
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const refused = globs.find((glob) => glob.includes('**'));
  if (refused !== undefined) {
    throw new BundleError('UNSUPPORTED_CONTENT', `${what} has ** in it: ${oneLine(refused)}`, {
      hint: 'Helm does not know **. Write one line for each folder.',
    });
  }
  return ignoredBy([...globs, ALWAYS].map(ruleOf));
}

function ruleOf(line: string): Rule {
  const isNegated = line.startsWith('!');
  const glob = isNegated ? line.slice(1) : line;
  const isForFolders = glob.endsWith('/');
  const bare = isForFolders ? glob.slice(0, -1) : glob;
  const isPath = bare.includes('/');
  return {
    pattern: patternOf(bare.replace(/^\//, '')),
    ...{ isPath, isForFolders, isNegated },
  };
}

function ignoredBy(rules: readonly Rule[]): Ignored {
  return (path, isFolder) =>
    rules.some(({ pattern, isPath, isForFolders, isNegated }) => {
      const matches = pattern.test(isPath ? path : path.slice(path.lastIndexOf('/') + 1));
      if (isNegated) return (isForFolders && !isFolder) || !matches;
      return isForFolders && !isFolder ? false : matches;
    });
}

/** Go's `filepath.Match`: `*` and `?` within a name, sets of characters, and `\` before one. */
function patternOf(glob: string): RegExp {
  const source = glob.replaceAll(/\\.|\[(?:\\.|[^\]\\])+\]|[^\w\s/]/g, sourceOf);
  return new RegExp(`^${source}$`, 'u');
}

/** A token of a glob as a regular expression has it. */
function sourceOf(token: string): string {
  if (token === '*') return '[^/]*';
  if (token === '?') return '[^/]';
  const isSet = token.startsWith('[') && token.endsWith(']');
  if (isSet) return `[${token.slice(1, -1).replaceAll(/(?<!^)\^|\[/g, String.raw`\$&`)}]`;
  return `\\u{${token.codePointAt(token.startsWith('\\') ? 1 : 0)!.toString(16)}}`;
}
