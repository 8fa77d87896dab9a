import { BundleError } from '../core/errors.ts';
import { nearest } from '../core/text.ts';
import type { Command } from './command.ts';
import { COMMAND_GROUPS, nameOf } from './command-table.ts';
import { listed } from './present/shown.ts';

/** A command by its name. What it takes is known where its name is on the command line. */
export interface NamedCommand {
  readonly name: string;
  readonly command: Command | undefined;
}

/** The commands that there are. */
export interface KnownCommands {
  readonly commands: readonly NamedCommand[];
  /** The commands behind a word that is no command itself. */
  readonly groups: Readonly<Record<string, readonly NamedCommand[]>>;
}

/** What can be written on a command line. */
export interface Words extends KnownCommands {
  /** The names of options that every command has. */
  readonly common: readonly string[];
}

/**
 * The error for a command line that yargs refused, which knows of words that are unknown no more
 * than that. @param message of yargs.
 */
export function usageError(argv: readonly string[], message: string, known: Words): BundleError {
  const { commands, groups } = known;
  const names = [...commands.map((each) => each.name), ...Object.keys(groups)];
  const name = argv.find((word) => names.includes(word));
  const unknown = /^Unknown (?:arguments?|commands?): (.*)$/s.exec(message)?.[1]?.split(', ');
  if (name === undefined) {
    const word = argv.find((each) => !each.startsWith('-'));
    return unknown === undefined || word === undefined
      ? new BundleError('USAGE', message, { hint: helpFor() })
      : noCommand('bundle', word, names);
  }
  const within = groups[name];
  if (within !== undefined) {
    const word = argv.slice(argv.indexOf(name) + 1).find((each) => !each.startsWith('-'));
    const names = within.map((each) => each.name);
    if (word !== undefined && !names.includes(word))
      return noCommand(`bundle ${name}`, word, names, withPath(name));
  }
  const words = argv.slice(argv.indexOf(name) + 1).filter((each) => !each.startsWith('-'));
  const named =
    within === undefined
      ? commands.find((each) => each.name === name)
      : within.find((each) => each.name === words[0]);
  const command = named?.command;
  const called = within === undefined ? name : `${name} ${words[0] ?? ''}`.trim();
  if (command === undefined) return new BundleError('USAGE', message, { hint: helpFor(called) });
  if (unknown === undefined) return refused(message, command, called);
  return unknownWords(argv, unknown, [...optionsOf(command), ...known.common], called);
}

/** What yargs says of a word that is missing, or that is none of a few, in words of this program. */
function refused(message: string, command: Command, called: string): BundleError {
  const choice = /^Invalid values: Argument: (\S+), Given: (.*), Choices: (.*)$/.exec(message);
  if (choice !== null) {
    const [, option = '', given = '', all = ''] = choice;
    const choices = all.split(', ').map((each) => each.replaceAll('"', ''));
    const meant = nearest(given.replaceAll('"', ''), choices);
    const hint = meant === undefined ? '' : `Did you mean --${option} ${meant}? `;
    return new BundleError('USAGE', `--${option}: ${given} is none of ${listed(choices)}`, {
      hint: `${hint}${helpFor(called)}`,
    });
  }
  const valueless = /^Not enough arguments following: (\S+)$/.exec(message)?.[1];
  if (valueless !== undefined) {
    const option = valueless.length === 1 ? `-${valueless}` : `--${valueless}`;
    const what = describedAs(command, valueless);
    return new BundleError('USAGE', `${option} needs a value${what}`, { hint: helpFor(called) });
  }
  const options = MISSING_OPTIONS.exec(message)?.[1]?.split(', ');
  const missing = options?.map((option) => `--${option}${describedAs(command, option)}`);
  const given = MISSING_ARGUMENT.exec(message)?.[1];
  const wanted =
    given === undefined
      ? missing
      : Object.entries(command.positionals)
          .flatMap(([positional, { demandOption, describe }]) =>
            demandOption === true ? [`${positional} (${describe ?? ''})`] : [],
          )
          .slice(Number(given));
  if (wanted === undefined || wanted.length === 0)
    return new BundleError('USAGE', message, { hint: helpFor(called) });
  const example = command.examples[0]?.[0] ?? '';
  return new BundleError('USAGE', `bundle ${called} needs ${wanted.join('; and ')}`, {
    hint: `For example: ${example.replaceAll('$0', 'bundle')}. ${helpFor(called)}`,
  });
}

const MISSING_ARGUMENT = /^an argument is missing: (\d+) of/;
const MISSING_OPTIONS = /^required options? missing: (.*)$/;

/** What an option is, behind its name: a description may have a colon of its own. */
function describedAs({ options }: Command, name: string): string {
  const found = Object.entries(options).find(
    ([option, { alias }]) => option === name || [alias ?? []].flat().includes(name),
  );
  const describe = found?.[1].describe;
  return describe === undefined ? '' : ` (${describe})`;
}

/** The command that is meant where none of a group is named, if it takes words and not only options. */
function withPath(group: string): string | undefined {
  const { otherwise, commands } = COMMAND_GROUPS[group]!;
  const command = commands.find((each) => nameOf(each) === otherwise);
  return command?.usage.includes(' ') === true ? otherwise : undefined;
}

/** @param otherwise a command that takes a path, which the word may be */
function noCommand(
  of: string,
  word: string,
  names: readonly string[],
  otherwise?: string,
): BundleError {
  const meant = nearest(word, names);
  const asPath = otherwise === undefined ? '' : `For a path: ${of} ${otherwise} ${word}. `;
  const hint = meant === undefined ? asPath : `Did you mean ${of} ${meant}? `;
  return new BundleError('USAGE', `there is no command ${of} ${word}`, {
    hint: `${hint}${of} --help lists the commands.`,
  });
}

function unknownWords(
  argv: readonly string[],
  unknown: readonly string[],
  options: readonly string[],
  name: string,
): BundleError {
  const written = (word: string): string | undefined =>
    [`--${word}`, `-${word}`].find((option) =>
      argv.some((each) => each === option || each.startsWith(`${option}=`)),
    );
  const wrong = unknown.flatMap((word) => written(word) ?? []);
  if (wrong.length === 0) {
    return new BundleError('USAGE', `bundle ${name} does not take ${listed(unknown)}`, {
      hint: helpFor(name),
    });
  }
  const word = wrong[0]!.replace(/^-+/, '').replace(/=.*$/s, '');
  const meant = nearest(word, options) ?? options.find((each) => each.startsWith(`${word}-`));
  const hint = meant === undefined ? '' : `Did you mean --${meant}? `;
  return new BundleError('USAGE', `bundle ${name} has no option ${listed(wrong)}`, {
    hint: `${hint}${helpFor(name)}`,
  });
}

function optionsOf({ options }: Command): readonly string[] {
  return Object.entries(options).flatMap(([name, { alias }]) => [
    name,
    ...(alias === undefined ? [] : [alias].flat()),
  ]);
}

function helpFor(name?: string): string {
  return `bundle ${name === undefined ? '' : `${name} `}--help shows the arguments and options.`;
}
