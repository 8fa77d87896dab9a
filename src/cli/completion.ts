import type { Options } from 'yargs';

import type { KnownCommands } from './suggest.ts';

/** How the completion script of yargs asks what may come next. */
const REQUEST = '--get-yargs-completions';

/** The words that can follow at some place on a command line. */
interface Place {
  readonly commands: readonly string[];
  readonly options: Readonly<Record<string, Options>>;
}

/**
 * Lists the words that may come next on a command line, one a line. It lists none where a file name
 * is likely, since shells complete file names themselves. yargs has this for commands without a
 * callback only.
 * @param argv as the completion script makes it: the request, the program's name, the words; the
 * last one is being typed.
 * @returns `undefined` for a command line that is no request.
 */
export function completions(
  argv: readonly string[],
  known: KnownCommands,
  common: Readonly<Record<string, Options>>,
): string | undefined {
  if (argv[0] !== REQUEST) return undefined;
  const words = argv.slice(2);
  const current = words.at(-1) ?? '';
  const previous = words.at(-2) ?? '';
  const place = placeOf(words.slice(0, -1), known, common);
  const choices = place.options[previous.replace(/^--/, '')]?.choices;
  const possible = choices
    ? choices.map(String)
    : current.startsWith('-')
      ? Object.keys(place.options).map((name) => `--${name}`)
      : place.commands;
  return possible.filter((word) => word.startsWith(current)).join('\n');
}

function placeOf(
  words: readonly string[],
  known: KnownCommands,
  common: Readonly<Record<string, Options>>,
): Place {
  const [first = '', second = ''] = words.filter((word) => !word.startsWith('-'));
  const group = Object.hasOwn(known.groups, first) ? known.groups[first] : undefined;
  const name = group === undefined ? first : second;
  const candidates = group ?? known.commands;
  const chosen = candidates.find((each) => each.name === name)?.command;
  if (chosen !== undefined) return { commands: [], options: { ...chosen.options, ...common } };
  const names = candidates.map((each) => each.name);
  const groups = group === undefined ? Object.keys(known.groups) : [];
  return { commands: name === '' ? [...names, ...groups] : [], options: {} };
}
