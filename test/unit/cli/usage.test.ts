import { afterEach, describe, expect, it, vi } from 'vitest';

import { refuseValues } from '../../../src/cli/booleans.ts';
import { COMMAND_GROUPS, COMMANDS } from '../../../src/cli/command-table.ts';
import { parseCommandLine } from '../../../src/cli/parse.ts';
import { BundleError } from '../../../src/core/errors.ts';

const parse = (...argv: readonly string[]): ReturnType<typeof parseCommandLine> =>
  parseCommandLine(argv, { stdout: { columns: 80 } });

/** The arguments of a command. */
async function parsed(...argv: readonly string[]): Promise<unknown> {
  const invocation = await parse(...argv);
  return 'args' in invocation ? invocation.args : undefined;
}

async function refusal(...argv: readonly string[]): Promise<BundleError> {
  const error: unknown = await parse(...argv).catch((reason: unknown) => reason);
  if (!(error instanceof BundleError)) throw new Error(`${argv.join(' ')} is not refused`);
  return error;
}

/** Words of yargs that say nothing to somebody who has not read its manual. */
const RAW = /non-option|Invalid values|following:|Argument:|Missing required/;

describe('a command line', () => {
  it('takes what comes after -- for arguments, whatever it begins with', async () => {
    const args = await parsed('verify', '--release-key', 'key.asc', '--', 'one', '--expect', '-');
    expect(args).toMatchObject({ PATH: ['one', '--expect', '-'], 'release-key': 'key.asc' });
    expect(await parsed('pack', '-o', 'x', '--', '4.17.3', '4.17.5')).toMatchObject({
      ...{ VERSION: ['4.17.3', '4.17.5'], out: 'x' },
    });
    expect((await refusal('cache', 'clear', '--', 'foo')).message).toContain('foo');
    expect((await refusal('verify', '--')).message).toContain('needs PATH');
  });

  it.each([
    ['pack 4.17.3', ['bundle pack needs --out'], 'bundle pack 4.17.3 -o /media/usb'],
    ['verify', ['bundle verify needs PATH'], 'bundle verify /media/usb'],
    ['inspect', ['bundle inspect needs PATH'], 'bundle inspect /media/usb'],
    ['unpack', ['needs PATH'], 'bundle unpack /media/usb --to registry'],
    ['unpack /media/usb', ['needs --to'], 'bundle unpack /media/usb --to registry'],
    ['mirror 4.17.3', ['needs --to'], 'bundle mirror 4.17.3'],
    ['repair', ['needs PATH'], 'bundle repair /media/usb'],
    ['repair /media/usb', ['needs --out'], 'bundle repair /media/usb'],
    ['path', ['needs FROM (', '; and TO ('], 'bundle path 4.16.20 4.17.3'],
    ['path 4.16.20', ['needs TO ('], 'bundle path 4.16.20 4.17.3'],
    ['catalog show', ['needs CATALOG (', '; and PACKAGE ('], 'bundle catalog show ./catalog foo'],
    ['catalog show ./catalog', ['needs PACKAGE ('], 'bundle catalog show ./catalog foo'],
    ['imageset diff old.json', ['needs NEW ('], 'bundle imageset diff'],
    ['login', ['needs REGISTRY'], 'bundle login quay.io'],
    ['logout', ['needs REGISTRY'], 'bundle logout quay.io'],
    ['check-registry', ['needs TARGET'], 'bundle check-registry registry'],
    ['sign', ['needs PATH'], 'bundle sign /media/usb'],
    ['trust add', ['bundle trust add needs KEYS'], 'bundle trust add packer.pub'],
    ['trust show', ['bundle trust show needs KEYS'], 'bundle trust show packer.pub'],
    ['trust remove', ['bundle trust remove needs ID'], 'bundle trust remove '],
  ] as const)(
    'that lacks a word says which, and gives an example: %s',
    async (line, names, example) => {
      const { code, message, hint } = await refusal(...line.split(' '));
      expect(code).toBe('USAGE');
      for (const name of names) expect(message).toContain(name);
      expect(message).not.toMatch(RAW);
      expect(hint).toContain(example);
    },
  );

  it.each([
    ['cache', 'cache needs a command: clear'],
    ['imageset', 'imageset needs a command: diff, check or init'],
    ['trust', 'trust needs a command: add, show, list or remove'],
  ])('that lacks a command of a group names all: %s', async (line, message) => {
    expect((await refusal(line)).message).toBe(message);
  });

  it.each([
    ['history', ['history']],
    ['history', ['history', '--output', 'json']],
    ['receipt', ['receipt', '--to', 'r.example.com/a', '-o', 'out', 'bundle.tar.zst']],
  ])('of the group %s alone means its own command', async (_, words) => {
    const { command } = await parseCommandLine(words, { stdout: { columns: 80 } });
    expect(command).toBeDefined();
  });

  it('of a group that means a command has the help of the group', async () => {
    const { output } = await parseCommandLine(['history', '--help'], { stdout: { columns: 80 } });
    expect(output).toContain('history import');
  });

  it('with several files from a pattern of the shell says how each is given', async () => {
    const { message, hint } = await refusal(
      ...['extract-tools', 'r.example.com/a:1', '--idms-file', 'some/idms-a.yaml'],
      ...['some/idms-b.yaml', '-o', 'tools'],
    );
    expect(message).toContain('--idms-file takes one file, and 2 follow it');
    expect(hint).toContain('--idms-file some/idms-a.yaml --idms-file some/idms-b.yaml');
    const line = ['verify', '--release-key', 'keys/a.asc', 'keys/usb.tar.zst'];
    expect(await parse(...line)).toHaveProperty('command');
  });

  it.each([
    ['keygen --type ecdsa-p265', '--type', 'Did you mean --type ecdsa-p256?'],
    ['keygen --type dsa', '--type', 'bundle keygen --help'],
    ['verify x --output yaml', '--output', 'bundle verify --help'],
    ['verify x --output jsno', '--output', 'Did you mean --output json?'],
    ['verify x --color alway', '--color', 'Did you mean --color always?'],
    ['verify x --progress bar', '--progress', 'bundle verify --help'],
    ['verify x --log-level all', '--log-level', 'bundle verify --help'],
    ['path 4.16.20 4.17.3 --output sgv', '--output', 'Did you mean --output svg?'],
    ['trust list --output yaml', '--output', 'bundle trust list --help'],
  ] as const)('with a word that is none of a few says of which: %s', async (line, option, hint) => {
    const refused = await refusal(...line.split(' '));
    expect(refused.message).toMatch(new RegExp(`^${option}: ".*" is none of .* and `));
    expect(refused.message).not.toMatch(RAW);
    expect(refused.hint).toContain(hint);
  });

  it.each(['pack 4.17.3 -o', 'pack 4.17.3 -o x --arch', 'unpack x --to', 'keygen --out'])(
    'with an option that lacks its value says what it takes: %s',
    async (line) => {
      const { message } = await refusal(...line.split(' '));
      expect(message).toMatch(/^--?\w+ needs a value \(./);
      expect(message).not.toMatch(RAW);
    },
  );
});

describe('an option without a value', () => {
  it.each([
    ['--dry-run=', 'not an empty text'],
    ['--dry-run=1', 'not 1'],
    ['--dry-run=TRUE', 'not TRUE'],
    ['--dry-run=false=', 'not false='],
    ['--dry-run=yes --dry-run=true', 'not yes'],
    ['--dry-run --dry-run=no', 'not no'],
    ['--help=yes', 'not yes'],
    ['--version=1', 'not 1'],
    ['-h=no', 'not no'],
    ['-hh=no', 'not no'],
    ['-h/', 'not /'],
  ])('is refused with another value than true and false: %s', async (words, got) => {
    const { code, message } = await refusal('pack', '4.17.3', '-o', 'x', ...words.split(' '));
    expect(code).toBe('USAGE');
    const [option] = /^(?:--[a-z-]+|-h)/.exec(words) ?? [];
    expect(message).toBe(`${option!} takes no value, or true or false, ${got}`);
  });

  it('may be true or false, and only before --', async () => {
    const line = ['pack', '4.17.3', '-o', 'x', '--dry-run=true', '--verbose=false'];
    expect(await parsed(...line, '--', '--dry-run=x')).toMatchObject({
      ...{ 'dry-run': true, verbose: false, VERSION: ['4.17.3', '--dry-run=x'] },
    });
  });

  it('is no name with something behind a dot', async () => {
    expect((await refusal('pack', '4.17.3', '-o', 'x', '--dry-run.x=1')).message).toContain(
      'has no option --dry-run.x',
    );
  });

  it('is refused with another value by every command', async () => {
    const all = [COMMANDS, ...Object.values(COMMAND_GROUPS).map(({ commands }) => commands)];
    for (const entry of all.flat()) {
      const { options } = await entry.load();
      const names = Object.entries(options).flatMap(([name, { type, alias }]) =>
        type === 'boolean' ? [name, ...[alias ?? []].flat()] : [],
      );
      for (const name of names)
        expect(() => {
          refuseValues([`--${name}=yes`], options);
        }).toThrow(`--${name} takes no value`);
    }
    for (const line of ['history --verbose=1', 'receipt show x --verbose=1', 'login r --verbose=1'])
      expect((await refusal(...line.split(' '))).message).toContain('--verbose takes no value');
  });
});

describe('a bundle digest in the groups of the form', () => {
  const groups = Array.from({ length: 8 }, (_, index) => `0123abc${index}`);

  it('is one value without quotes too, wherever it stands', async () => {
    const [first = '', ...others] = groups;
    for (const words of [
      ['verify', '/media/usb', '--bundle-digest', ...groups],
      ['verify', '--bundle-digest', ...groups, '/media/usb'],
      ['verify', `--bundle-digest=${first}`, ...others, '/media/usb'],
    ]) {
      const parsed = await parse(...words);
      const args = { PATH: ['/media/usb'], 'bundle-digest': groups.join('') };
      expect(parsed).toMatchObject({ args });
    }
  });

  it('is refused with the number of groups where one is missing or too many', async () => {
    for (const given of [groups.slice(1), [...groups, '01234567']]) {
      const { message } = await refusal('verify', '/media/usb', '--bundle-digest', ...given);
      expect(message).toContain(`${given.length} groups of 8 digits`);
    }
  });

  it('leaves a path alone that stands behind a digest in one word', async () => {
    const digest = groups.join('');
    const parsed = await parse('verify', '--bundle-digest', digest, 'deadbeef');
    expect(parsed).toMatchObject({ args: { PATH: ['deadbeef'], 'bundle-digest': digest } });
  });
});

describe('completion', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('is for the shell that is named, whatever shell runs it', async () => {
    for (const own of ['/bin/zsh', '/bin/bash']) {
      vi.stubEnv('SHELL', own);
      vi.stubEnv('ZSH_NAME', 'zsh');
      expect(await parse('completion', 'zsh')).toMatchObject({
        output: expect.stringContaining('compdef') as string,
      });
      vi.stubEnv('ZSH_NAME', 'zsh');
      expect(await parse('completion', 'bash')).toMatchObject({
        output: expect.stringContaining('COMPREPLY') as string,
      });
    }
    expect((await refusal('completion', 'fish')).exitStatus).toBe(2);
  });
});
