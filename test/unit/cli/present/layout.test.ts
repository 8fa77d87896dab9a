import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { laidOut, type Report } from '../../../../src/cli/present/layout.ts';
import { type Screen, screenOf } from '../../../../src/cli/present/screen.ts';

const HEX = '3d39723691f7e371818d20a1f8a7dcab3a967a635550510b7656a5ad63e6a104';

function screen(columns: number, more: Partial<Screen> = {}): Screen {
  return { columns, hasColor: false, hasUnicode: true, isVerbose: false, ...more };
}

describe('a report', () => {
  const word = fc.stringMatching(/^[a-z]{1,12}$/);
  const words = fc.array(word, { minLength: 1, maxLength: 30 }).map((list) => list.join(' '));

  it('has no line longer than the screen is wide, and loses no word', () => {
    fc.assert(
      fc.property(words, words, fc.integer({ min: 40, max: 130 }), (verdict, fact, columns) => {
        const report: Report = [
          [{ verdict, mood: 'good' }, { text: fact }],
          [{ facts: [['label', fact], ['digest', { hex: HEX }], ['', fact]] }], // prettier-ignore
        ];
        const lines = laidOut(report, screen(columns)).split('\n');
        expect(lines.filter((line) => line.length > columns)).toEqual([]);
        const shown = lines.join(' ').split(/ +/).filter((each) => each !== ''); // prettier-ignore
        const digits = HEX.match(/.{8}/g)!;
        const expected = `${verdict} ${fact} label ${fact} digest ${digits.join(' ')} ${fact}`;
        expect(shown).toEqual(expected.split(' '));
      }),
    );
  });

  it('has no row of a table that the terminal would break, and loses nothing of its last column', () => {
    const cell = fc.stringMatching(/^[a-z]{1,40}$/);
    const row = fc.tuple(fc.stringMatching(/^[a-z]{1,30}$/), cell, words);
    const columns = fc.integer({ min: 20, max: 130 });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), columns, (rows, width) => {
        const heads = ['name', 'size', 'part'];
        const lines = laidOut([[{ table: { heads, rows, cut: 0 } }]], screen(width)).split('\n');
        expect(lines.filter((line) => line.length > width)).toEqual([]);
        const shown = lines.join('').replaceAll(' ', '');
        for (const [, , part] of rows)
          for (const each of part.split(' ').filter((one) => one.length < 8))
            expect(shown).toContain(each);
      }),
    );
  });

  it.each([
    [
      'for-4.12/icsp-registry-bank-83c6feaa.yaml',
      ['for-4.12/', 'icsp-registry-bank-83c6feaa.yaml'],
    ],
    [
      'r.example/ocp4/openshift/release-images:4.17.5',
      ['r.example/ocp4/openshift/', 'release-images:4.17.5'],
    ],
    ['quay.io/ocp-release@sha256:0000000000', ['quay.io/', 'ocp-release@sha256:0000000000']],
    ['icsp-registry-bank-example-83c6feaa.yaml', ['icsp-registry-bank-example-', '83c6feaa.yaml']],
  ])('breaks %s before a name that fits a line, not in it', (value, expected) => {
    const lines = laidOut([[{ facts: [['label', value]] }]], screen(40)).split('\n');
    expect(lines.map((line) => line.replace('label', '').trim())).toEqual(expected);
  });

  it.each([
    [120, 1],
    [80, 1],
    [74, 2],
    [60, 2],
    [30, 4],
  ])('has the digits of a digest in groups, as many in each line: %s columns', (columns, count) => {
    const lines = laidOut([[{ hex: HEX }]], screen(columns)).split('\n');
    expect(lines).toHaveLength(count);
    expect(new Set(lines.map((line) => line.trim().split(' ').length)).size).toBe(1);
    expect(lines.join('').replaceAll(' ', '')).toBe(HEX);
  });

  it('never breaks a command, breaks the long word of a fact, and cuts a name only in a table', () => {
    const long = `registry.example.com/${'x'.repeat(90)}`;
    const table = { rows: [[long, '1 GB']], cut: 0 };
    const [command, row, ...fact] = laidOut(
      [[{ commands: [long] }, { table }, { facts: [['a', long]] }]],
      screen(60),
    ).split('\n');
    expect(command).toBe(`  ${long}`);
    expect(row).toMatch(/^registry\.example\.com\/x+\.\.x+ {2}1 GB$/);
    expect(row).toHaveLength(60);
    expect(fact.map((line) => line.slice(3)).join('')).toBe(long);
    expect(fact.filter((line) => line.length > 60)).toEqual([]);
  });

  it('lets no control character of a registry through, whatever colours it has itself', () => {
    const evil = 'a\u001b[2Jb\u009b31mc';
    const text = laidOut(
      [[{ verdict: evil, mood: 'bad' }, { text: evil }, { commands: [evil] }, { facts: [[evil, evil]] }, { table: { rows: [[evil]] } }]], // prettier-ignore
      screen(80),
    );
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(text).not.toMatch(/[\u001b\u009b]/);
    const colored = laidOut([[{ verdict: 'x', mood: 'bad' }]], screen(80, { hasColor: true }));
    expect(colored).toContain('\u001b[31m');
  });
});

describe('the screen', () => {
  const terminal = { isTTY: true, columns: 80 };
  const file = { isTTY: false } as Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>;
  const auto = { color: 'auto', isVerbose: false } as const;

  it.each([
    [terminal, {}, true],
    [terminal, { TERM: 'xterm' }, true],
    [terminal, { TERM: 'dumb' }, false],
    [terminal, { NO_COLOR: '1' }, false],
    [terminal, { NO_COLOR: '' }, true],
    [terminal, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
    [terminal, { FORCE_COLOR: '0' }, false],
    [file, {}, false],
    [file, { FORCE_COLOR: '1' }, true],
  ])('has colours as the environment says: %j %j', (stream, env, expected) => {
    expect(screenOf(stream, { env }, auto).hasColor).toBe(expected);
    expect(screenOf(stream, { env }, { ...auto, color: 'always' }).hasColor).toBe(true);
    expect(screenOf(stream, { env }, { ...auto, color: 'never' }).hasColor).toBe(false);
  });

  it.each([
    [{}, false],
    [{ LANG: 'C.UTF-8' }, true],
    [{ LANG: 'en_US.utf8' }, true],
    [{ LANG: 'en_US.UTF-8', LC_ALL: 'C' }, false],
    [{ LANG: 'C', LC_CTYPE: 'C.UTF-8' }, true],
  ])('shows what its locale can show: %j', (env, expected) => {
    expect(screenOf(terminal, { env }, auto).hasUnicode).toBe(expected);
  });

  it.each([
    [0, 80],
    [1, 80],
    [9, 80],
    [10, 10],
    [120, 120],
    [Number.NaN, 80],
  ])('takes a terminal of %s columns for one of %s', (columns, expected) => {
    expect(screenOf({ isTTY: true, columns }, { env: {} }, auto).columns).toBe(expected);
  });

  it('breaks no lines in a file', () => {
    expect(screenOf(file, { env: {} }, auto).columns).toBe(Number.POSITIVE_INFINITY);
  });
});
