import { execa } from 'execa';
import { describe, expect, it } from 'vitest';

import { parseCommandLine } from '../../../src/cli/parse.ts';
import { optionWords, pathWord, shellWord, shownUrl } from '../../../src/core/text.ts';

describe('a URL in a message', () => {
  it.each([
    ['https://updates.example.com/a/graph', 'https://updates.example.com/a/graph'],
    [
      'http://user:SECRET@example.com:8080/graph?sig=SECRET#SECRET',
      'http://example.com:8080/graph',
    ],
    ['https://example.com/a?mail=x@y&sig=SECRET', 'https://example.com/a'],
    ['ftp://user:SECRET@example.com/a', 'ftp://example.com/a'],
    ['foo', 'foo'],
    ['updates.example.com/\ngraph', 'updates.example.com/ graph'],
  ])('of %j is %j', (url, shown) => {
    expect(shownUrl(url)).toBe(shown);
  });

  it.each(['user:SECRET@example.com/a', 'http://u:SECRET?x@[', 'http://[/?sig=SECRET', 'x#SECRET'])(
    'is not told where it is none and may hold a secret: %j',
    (url) => {
      expect(shownUrl(url)).not.toContain('SECRET');
    },
  );
});

describe('a word for a shell', () => {
  const texts = [
    'a b',
    "it's",
    '$HOME',
    String.raw`\x`,
    '',
    'a\x1b[2Jb',
    "\x1b'\\n",
    '\n',
    'ü\u202e\u0085',
  ];

  it('is read as what it stands for, and has nothing that cannot be typed', async () => {
    const words = texts.map(shellWord);
    expect(words.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    const { stdout } = await execa('bash', ['-c', String.raw`printf '%s\0' ${words.join(' ')}`]);
    expect(stdout.split('\0').slice(0, -1)).toEqual(texts);
    expect(shellWord('a\x1bb')).toBe(String.raw`$'a\x1bb'`);
  });

  it('that is a path is no option', () => {
    expect(['-x', '-', './-x', 'a-b', '-x y'].map(pathWord)).toEqual([
      ...['./-x', '-', './-x', 'a-b', "'./-x y'"],
    ]);
  });

  it('that is the value of an option is none itself', async () => {
    const words = ['unpack', 'x', '--to', 'r', ...optionWords('resources-dir', ['-cr'])];
    const names = optionWords('expect', ['-', 'a', '--dry-run']);
    const invocation = await parseCommandLine([...words, ...names], { stdout: { columns: 80 } });
    expect(invocation).toMatchObject({
      args: { 'resources-dir': '-cr', expect: ['-', 'a', '--dry-run'] },
    });
  });
});
