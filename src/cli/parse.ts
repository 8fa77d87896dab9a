import yargs, { type Argv } from 'yargs';

import { BundleError } from '../core/errors.ts';
import { wrapped } from '../core/text.ts';
import { VERSION } from '../core/version.ts';
import { refuseValues } from './booleans.ts';
import type { Arguments, Command } from './command.ts';
import { COMMAND_GROUPS, COMMANDS, type CommandEntry, nameOf } from './command-table.ts';
import { completions } from './completion.ts';
import type { Io } from './io.ts';
import { withApplyScope } from './options/cluster.ts';
import { commonOptions } from './options/common.ts';
import { refusePatterns } from './patterns.ts';
import { usageError } from './suggest.ts';

/** A command to run with its arguments, or text to print (help, version, completion). */
export type Invocation =
  | { readonly command: Command; readonly args: Arguments; readonly output?: undefined }
  | { readonly command?: undefined; readonly output: string };

/** Of a terminal that is wider, and of pipes, which a pager shows in any. */
const [HELP_WIDTH, PIPED_WIDTH] = [100, 80];
/**
 * What `usageError` knows again. The types of yargs know only texts without a plural.
 */
const YARGS_TEXTS = {
  'Missing required argument: %s': {
    one: 'required option missing: %s',
    other: 'required options missing: %s',
  },
  'Not enough non-option arguments: got %s, need at least %s': {
    one: 'an argument is missing: %s of %s given',
    other: 'an argument is missing: %s of %s given',
  },
};
/**
 * Stands before a word that is no option, though it begins with a dash, while yargs reads the command
 * line: a lone `-`, and what comes after `--`. No argument of a program can have such a character.
 */
const NO_OPTION = '\0';
const EXAMPLES: Command['examples'] = [
  ['$0 pack 4.17.3 -o /media/usb', 'on the connected side'],
  ['$0 verify /media/usb', 'check every byte, on either side'],
  ['$0 unpack /media/usb --to registry:5000/ocp4', 'on the closed side'],
];

/**
 * Understands a command line without running anything.
 * @throws BundleError USAGE
 */
export async function parseCommandLine(
  given: readonly string[],
  { stdout }: { readonly stdout: Pick<Io['stdout'], 'columns'> },
): Promise<Invocation> {
  const argv = withCommandOfGroup(forShell(given));
  const called = await commandsCalled(argv);
  const completed = completions(argv, called, commonOptions);
  if (completed !== undefined) return { output: completed };
  let chosen: Command | undefined;
  // yargs puts examples last, and would wrap and trim them elsewhere: so they are put in when it is
  // done.
  const introductions = new Map<string, string>();
  const introduce = (usage: string, summary: string, examples: Command['examples']): string => {
    introductions.set(usage, introduction(usage, summary, examples));
    return usage;
  };
  const register = (parent: Argv, { name, entry, command }: Called, group = ''): Argv =>
    parent.command(
      entry.usage,
      entry.summary,
      (sub) => {
        if (command === undefined) throw new Error(`${name} is chosen, and not loaded`);
        const usage = `bundle ${group}${entry.usage}`;
        sub.usage(introduce(usage, entry.summary, command.examples));
        for (const [word, positional] of Object.entries(command.positionals))
          sub.positional(word, positional);
        return sub.options({ ...commonOptions, ...command.options });
      },
      () => {
        chosen = command;
      },
    );
  const parser = yargs()
    .scriptName('bundle')
    .usage(introduce('bundle COMMAND', 'Carries OpenShift releases across an air gap.', EXAMPLES))
    .locale('en')
    .updateStrings(YARGS_TEXTS as unknown as Record<string, string>)
    .version(VERSION)
    .help()
    .alias('h', 'help')
    .strict()
    .demandCommand(1, 'no command was given')
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'camel-case-expansion': false,
      'boolean-negation': false,
      'dot-notation': false,
    })
    .exitProcess(false)
    .wrap(Math.min(HELP_WIDTH, stdout.columns || PIPED_WIDTH))
    .completion('completion', 'print a completion script for bash or zsh');
  for (const command of called.commands) register(parser, command);
  for (const [name, commands] of Object.entries(called.groups)) {
    parser.command(name, COMMAND_GROUPS[name]!.summary, (group) => {
      for (const command of commands) register(group, command, `${name} `);
      const { otherwise } = COMMAND_GROUPS[name]!;
      if (otherwise !== undefined)
        group.epilogue(`bundle ${name} --OPTION … means bundle ${name} ${otherwise} --OPTION …`);
      const names = commands.map((command) => command.name);
      const last = names.at(-1)!;
      const all = names.length === 1 ? last : `${names.slice(0, -1).join(', ')} or ${last}`;
      return group.demandCommand(1, `${name} needs a command: ${all}`);
    });
  }

  refusePatterns(argv);
  const words = await withApplyScope(joinedGroups(argv));
  const { failure, args, output } = await new Promise<{
    failure: Error | undefined;
    args: Arguments;
    output: string;
  }>((settle) => {
    void parser.parse(
      withoutDashes(words),
      {},
      (error: Error | undefined | null, parsed: unknown, text: string) => {
        settle({
          failure: error ?? undefined,
          args: withDashes(parsed as Arguments),
          output: text,
        });
      },
    );
  });
  if (failure !== undefined) {
    throw usageError(argv, failure.message.replace(/\s*\n\s*/g, ' ').trim(), {
      ...called,
      common: Object.keys(commonOptions),
    });
  }
  refuseValues(words, { ...commonOptions, ...chosen?.options });
  const [usage = ''] = output.split('\n', 1);
  // What takes several words, and got none, is no list that somebody chose.
  const rest = output.slice(usage.length).replaceAll(' [default: []]', '');
  const text = `${introductions.get(usage) ?? usage}${rest}`;
  return chosen === undefined || output !== '' ? { output: text } : { command: chosen, args };
}

/** A command that may be meant. */
interface Called {
  readonly name: string;
  readonly entry: CommandEntry;
  /** Loaded where its name is among the words, wherever: options may stand before it. */
  readonly command: Command | undefined;
}

async function commandsCalled(argv: readonly string[]): Promise<{
  readonly commands: readonly Called[];
  readonly groups: Readonly<Record<string, readonly Called[]>>;
}> {
  const called = async (entries: readonly CommandEntry[]): Promise<readonly Called[]> =>
    Promise.all(
      entries.map(async (entry) => {
        const name = nameOf(entry);
        return { name, entry, command: argv.includes(name) ? await entry.load() : undefined };
      }),
    );
  const groups = Object.entries(COMMAND_GROUPS).map(
    async ([name, { commands }]) => [name, await called(commands)] as const,
  );
  return {
    commands: await called(COMMANDS),
    groups: Object.fromEntries(await Promise.all(groups)),
  };
}

/**
 * `bundle history` and `bundle receipt --to …` mean one of the commands of their group, though none
 * of them is named. The help is that of the group all the same.
 */
function withCommandOfGroup(argv: readonly string[]): readonly string[] {
  const [name = '', ...words] = argv;
  const group = Object.hasOwn(COMMAND_GROUPS, name) ? COMMAND_GROUPS[name] : undefined;
  if (group?.otherwise === undefined) return argv;
  const asksHelp = words.some((word) => ['--help', '-h', '--version'].includes(word));
  const isNamed = words.some((word) => group.commands.some((entry) => nameOf(entry) === word));
  if (asksHelp || isNamed || words[0]?.startsWith('-') === false) return argv;
  return [name, group.otherwise, ...words];
}

/**
 * `completion bash` and `completion zsh`: yargs takes the shell from the environment alone.
 */
function forShell(argv: readonly string[]): readonly string[] {
  const [command, shell, ...more] = argv;
  const isNamed = command === 'completion' && ['bash', 'zsh'].includes(shell ?? '');
  if (!isNamed || more.length > 0) return argv;
  process.env['SHELL'] = shell;
  delete process.env['ZSH_NAME'];
  return [command];
}

/**
 * A digest in eight groups, as reports print it, is eight words where nobody has put it in quotes.
 * @throws BundleError USAGE for another number of groups.
 */
function joinedGroups(argv: readonly string[]): readonly string[] {
  const isGroup = (word: string): boolean => /^[0-9a-f]{8}$/i.test(word);
  const at = argv.findIndex((word) => /^--bundle-digest(?:=|$)/.test(word));
  if (at === -1) return argv;
  const [, inWord] = /^--bundle-digest=(.*)$/.exec(argv[at]!) ?? [];
  const first = inWord === undefined ? at + 1 : at;
  const words = [...(inWord === undefined ? [] : [inWord]), ...argv.slice(at + 1)];
  const end = words.findIndex((word) => !isGroup(word));
  const groups = end === -1 ? words : words.slice(0, end);
  if (groups.length < 2) return argv;
  if (groups.length !== GROUPS) {
    throw new BundleError(
      'USAGE',
      `--bundle-digest: ${groups.length} groups of 8 digits are given, and it has ${GROUPS}`,
      { got: groups.join(' '), hint: 'Compare them with those that you got out of band.' },
    );
  }
  const rest = argv.slice(first + groups.length);
  return [...argv.slice(0, at), `--bundle-digest=${groups.join('')}`, ...rest];
}

const GROUPS = 8;

/** The beginning of a help: the command line, its purpose, and examples. */
function introduction(usage: string, summary: string, examples: Command['examples']): string {
  const lines = examples.flatMap(([line, what]) => [
    ...wrapped(what, PIPED_WIDTH - NOTE.length).map((text) => NOTE + text),
    ...commandLines(line.replaceAll('$0', 'bundle')),
  ]);
  return [usage, '', ...wrapped(summary, PIPED_WIDTH), '', 'Examples:', ...lines].join('\n');
}

const NOTE = '  # ';

/** A command on as few lines as fit 80 columns, broken before options, as a shell reads it. */
function commandLines(command: string): readonly string[] {
  const [first = '', ...options] = command.split(/ (?=-)/);
  const lines: string[] = [];
  let line = `  ${first}`;
  for (const option of options) {
    const longer = `${line} ${option}`;
    if (`${longer} \\`.length > PIPED_WIDTH) {
      lines.push(`${line} \\`);
      line = `      ${option}`;
    } else line = longer;
  }
  return [...lines, line];
}

/**
 * yargs loses a lone `-` among positionals, and takes no positional from behind `--`: both reach it
 * as words that do not begin with a dash.
 */
function withoutDashes(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--');
  const [before, behind] = end === -1 ? [words, []] : [words.slice(0, end), words.slice(end + 1)];
  return [
    ...before.map((word) => (word === '-' ? `${NO_OPTION}-` : word)),
    ...behind.map((word) => (word.startsWith('-') ? `${NO_OPTION}${word}` : word)),
  ];
}

function withDashes(args: Arguments): Arguments {
  const dashed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(dashed);
    return typeof value === 'string' && value.startsWith(NO_OPTION) ? value.slice(1) : value;
  };
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [name, dashed(value)]));
}
