import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { root } from './lib/run.js';

const FILE = 'docs/commands.md';
const INTRODUCTION = `# Commands

This page shows what \`bundle COMMAND --help\` prints. \`npm run command-reference\` generates
it from the program, and a test compares the two.
`;

/** Has no options of its own, and its help is that of the program. */
const WITHOUT_HELP = ['completion'];

const reference = `${INTRODUCTION}\n${sections([]).join('\n')}`;
const path = join(root, FILE);
if (!process.argv.includes('--check')) {
  writeFileSync(path, reference);
} else if (readFileSync(path, 'utf8') !== reference) {
  process.stderr.write(
    `${FILE} is not what the program says: npm run command-reference writes it anew\n`,
  );
  process.exitCode = 1;
}

/** The help of a command, and of those below it. */
function sections(words) {
  const text = help(words);
  const title = ['bundle', ...words].join(' ');
  const below = commandsIn(text).filter(
    (command) => command.length > words.length && !WITHOUT_HELP.includes(command.join(' ')),
  );
  return [`## ${title}\n\n\`\`\`text\n${text}\n\`\`\`\n`, ...below.flatMap(sections)];
}

/** Written to a pipe, its width does not depend on a terminal. */
function help(words) {
  const env = { HOME: '/nonexistent', PATH: process.env['PATH'] ?? '' };
  const output = execFileSync(process.execPath, [join(root, 'dist/bin.js'), ...words, '--help'], {
    env,
    encoding: 'utf8',
  });
  return output.trimEnd().replace(/ +$/gm, '');
}

/** The lines `  bundle trust add <KEYS..>  …`, as words before the arguments. */
function commandsIn(text) {
  const [, list = ''] = /^Commands:\n((?: {2}.*\n)+)/m.exec(text) ?? [];
  return [...list.matchAll(/^ {2}bundle ([a-z-]+(?: [a-z-]+)*)/gm)].map(([, words]) =>
    words.split(' '),
  );
}
