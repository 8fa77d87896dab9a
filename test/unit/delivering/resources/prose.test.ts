import { describe, expect, it } from 'vitest';

import { proseWrapped } from '../../../../src/delivering/resources/prose.ts';

const long = `${'word '.repeat(17)}end`;

describe('proseWrapped', () => {
  it('puts what a line has too much before the next line of its paragraph', () => {
    expect(proseWrapped([`1. ${long}`, `   ${long}`, '   last.', '     oc get mcp'])).toEqual([
      `1. ${'word '.repeat(15).trim()}`,
      `   word word end ${'word '.repeat(12).trim()}`,
      '   word word word word word end last.',
      '     oc get mcp',
    ]);
  });

  it('begins a line with each step, item, command and title', () => {
    expect(proseWrapped([long, '1. a', `   - ${long}`, '   - b', '', long, '===', 'c'])).toEqual([
      'word '.repeat(15).trim(),
      'word word end',
      '1. a',
      `   - ${'word '.repeat(14).trim()}`,
      '     word word word end',
      '   - b',
      '',
      'word '.repeat(15).trim(),
      'word word end',
      '===',
      'c',
    ]);
  });

  it('leaves commands and names whole', () => {
    const whole = [`  ${long}`, `     oc patch ${long}`, `  r.example.com/${'a'.repeat(90)}`];
    expect(proseWrapped(whole)).toEqual(whole);
  });
});
