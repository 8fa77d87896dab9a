import { BundleError } from '../core/errors.ts';
import { oneLine } from '../core/text.ts';
import type { OptionTable } from './options/table.ts';

/** What yargs takes everywhere, beside the options of the tables. */
const OF_YARGS: OptionTable = {
  help: { type: 'boolean', alias: 'h' },
  version: { type: 'boolean' },
};

/**
 * Refuses a value of an option that has none: for yargs, everything but `true` means `false`, and a
 * run that should only have been planned would be done.
 * @param options all that the command takes.
 * @throws BundleError USAGE
 */
export function refuseValues(words: readonly string[], options: OptionTable): void {
  const names = Object.entries({ ...OF_YARGS, ...options }).flatMap(([name, { type, alias }]) =>
    type === 'boolean' ? [name, ...[alias ?? []].flat()] : [],
  );
  const end = words.indexOf('--');
  for (const word of end === -1 ? words : words.slice(0, end)) {
    const { option, value } = longOption(word) ?? shortOption(word, names) ?? {};
    if (option === undefined || value === undefined || !names.includes(nameOf(option))) continue;
    if (value === 'true' || value === 'false') continue;
    throw new BundleError(
      'USAGE',
      `${option} takes no value, or true or false, not ${value === '' ? 'an empty text' : oneLine(value)}`,
      { hint: `Write ${option} alone, or leave it out.` },
    );
  }
}

interface Given {
  readonly option: string;
  readonly value: string;
}

function longOption(word: string): Given | undefined {
  const [, option, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  return option === undefined || value === undefined ? undefined : { option, value };
}

/**
 * A letter has its value behind it, with `=` or without. Another letter is an option of its own.
 */
function shortOption(word: string, names: readonly string[]): Given | undefined {
  if (!/^-[^-]/.test(word)) return undefined;
  let end = 1;
  while (names.includes(word.charAt(end))) end += 1;
  const behind = word.slice(end);
  if (end === 1 || /^(?:$|[a-z])/i.test(behind)) return undefined;
  return { option: `-${word.charAt(end - 1)}`, value: behind.replace(/^=/, '') };
}

function nameOf(option: string): string {
  return option.replace(/^-+/, '');
}
