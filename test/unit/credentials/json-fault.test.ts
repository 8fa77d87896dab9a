import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonFault } from '../../../src/credentials/json-fault.ts';

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
    expect(jsonFault(text)).toEqual({ line, column });
  });

  it('is past the end of all that is JSON, and not before what the parser takes', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (text, cut) => {
        expect(jsonFault(text)).toEqual({ line: 1, column: text.length + 1 });
        const start = text.slice(0, cut % (text.length + 1));
        expect(jsonFault(`${start}\u0000`).column).toBeLessThanOrEqual(start.length + 1);
      }),
    );
  });
});
