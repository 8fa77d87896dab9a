import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { projectPath } from '../../scripts/lib/project-root.ts';
import { PROGRAMS } from './needs.ts';
import { ProgramUses } from './program-uses.ts';

/** Its examples start programs, or seem to. */
const OWN = 'test/support/needs.test.ts';
/** On every Linux, or told apart by the test itself (whether it may mount). */
const EVERYWHERE = [
  '/usr/bin/env',
  'awk',
  'bash',
  'mkdir',
  'mkfifo',
  'mount',
  'setpriv',
  'sh',
  'sha256sum',
  'tar',
  'umount',
];

function sourcesIn(...folders: readonly string[]): Map<string, string> {
  const paths = folders.flatMap((folder) => {
    return readdirSync(projectPath(folder), { recursive: true, encoding: 'utf8' }).map((path) =>
      join(folder, path),
    );
  });
  return new Map(
    paths
      .filter((path) => path.endsWith('.ts'))
      .map((path) => [path, readFileSync(projectPath(path), 'utf8')]),
  );
}

function complaintsAbout(test: string, support = ''): string[] {
  const sources = new Map([
    ['test/a.test.ts', test],
    ['test/support/b.ts', support],
  ]);
  return new ProgramUses(sources, PROGRAMS, EVERYWHERE).complaints('test/a.test.ts');
}

describe('every test file', () => {
  const sources = sourcesIn('test', 'scripts/lib');
  const uses = new ProgramUses(sources, PROGRAMS, EVERYWHERE);
  const files = [...sources.keys()].filter((path) => path.startsWith('test/') && path !== OWN);

  it('starts programs that a machine may lack in suites that say so', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(files.flatMap((path) => uses.complaints(path))).toEqual([]);
  });
});

describe('a suite that does not say what it needs is found', () => {
  it.each([
    ['by a test', "describe('d', () => { it('t', () => execa('zstd', ['-t'])); });", 'zstd'],
    [
      'in another suite',
      "describeWith(['gpg'], 'd', () => { it('t', () => execa('zstd')); });",
      'zstd',
    ],
    [
      'after a suite that says so',
      "describeWith(['zstd'], 'd', () => {}); beforeAll(() => execa('zstd'));",
      'zstd',
    ],
    ['by tar', "it('t', () => execa('tar', ['--zstd', '-xf', path]));", 'zstd'],
    ['in a shell', "it('t', () => execa('sh', ['-c', `cat ${file} | openssl dgst`]));", 'openssl'],
    ['before its arguments', "it('t', () => start(['strace', '-f', process.execPath]));", 'strace'],
    [
      'by a function of the file',
      "function f() { return g(); } const g = () => run('gpg', args); it('t', f);",
      'gpg',
    ],
    ['by a constant', "const PROGRAM = 'nginx'; it('t', () => spawn(PROGRAM, []));", 'nginx'],
  ])('%s', (_, test, program) => {
    expect(complaintsAbout(test)).toEqual([
      `test/a.test.ts:1 starts ${program} in no suite that needs it`,
    ]);
  });

  it('through what it imports', () => {
    const support =
      "export function make() { return inner(); } async function inner() { await promisify(execFile)('openssl', []); }";
    const imports = "import { make as made } from './support/b.ts';\n";
    const found = ['test/a.test.ts:2 starts openssl in no suite that needs it'];
    expect(complaintsAbout(`${imports}beforeAll(() => made());`, support)).toEqual(found);
    expect(
      complaintsAbout(
        `${imports}describeWith(['openssl'], 'd', () => { beforeAll(() => made()); });`,
        support,
      ),
    ).toEqual([]);
  });

  it('with a program that is in no list', () => {
    expect(complaintsAbout("it('t', () => spawnSync('cosign', []));")).toEqual([
      'test/a.test.ts:1 starts cosign, which is in no list',
    ]);
  });

  it('and nothing else is', () => {
    const tests = [
      "describeWith(['zstd'], 'zstd', () => { describeWith(['openssl'], 'd', () => { it('t', () => execa('zstd', await execa('openssl'))); }); });",
      "describe('zstd', () => { it('openssl is named', () => expect(text).toContain('openssl')); });",
      "it.each([['zstd', compress]])('%s', () => execa('sh', ['-c', 'cat zstd']));",
      "it.each([['zstd with a tail', compress]])('%s', body);",
    ];
    expect(tests.flatMap((test) => complaintsAbout(test))).toEqual([]);
  });
});
