import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonFault, notJson, parseStrictJson } from '../../../src/core/json.ts';

describe('jsonFault', () => {
  it.each([
    ['', 1, 1],
    ['{', 1, 2],
    ['{"a": 1,}', 1, 9],
    ['{"a" 1}', 1, 6],
    ['[1,\n 2,\n x]', 3, 2],
    ['{"a": "never closed}', 1, 7],
    ['{} {}', 1, 4],
    ['{"a": [}', 1, 8],
    ['{"a": 01}', 1, 8],
    ['{a: 1}', 1, 2],
  ])('of %j is at line %i, column %i', (text, line, column) => {
    expect(notJson(text)).toBe(`is not valid JSON from line ${line}, column ${column} on`);
  });

  it('is past the end of all that is JSON, and not before what the parser takes', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (text, cut) => {
        expect(jsonFault(text)).toBe(text.length);
        const start = text.slice(0, cut % (text.length + 1));
        expect(jsonFault(`${start}\u0000`)).toBeLessThanOrEqual(start.length);
      }),
    );
  });

  it('is found at once in long strings that never end', () => {
    for (const text of ['a', '\\n', '\\', '\\u00'])
      expect(jsonFault(`["${text.repeat(1_000_000)}`)).toBe(1);
  });
});

describe('what is said of a text that is no strict JSON', () => {
  it.each([
    ['TOPSECRET\n', 'line 1, column 1'],
    ['{"a": TOPSECRET}', 'line 1, column 7'],
    ['{"a": "b",\n "TOPSECRET', 'line 2, column 2'],
    ['{"TOPSECRET": 1,\n  "TOPSECRET": 2}', 'line 2, column 3'],
    ['[1,\n99999999999999999999]', 'line 2, column 1'],
  ])('of %j is the place alone', (text, place) => {
    let said = '';
    try {
      parseStrictJson(Buffer.from(text), 'it');
    } catch (error) {
      said = `${(error as Error).message} ${String((error as Error).cause)}`;
    }
    expect(said).toContain(place);
    expect(said).not.toMatch(/TOPSECRET|9999|\n/);
  });
});
