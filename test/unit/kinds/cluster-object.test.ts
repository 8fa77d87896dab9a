import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

import { yamlOf } from '../../../src/kinds/cluster-object.ts';

describe('yamlOf', () => {
  it('writes the keys in one order, whatever order they come in', () => {
    expect(yamlOf({ b: { d: 1, c: 2 }, a: [] })).toBe('a: []\nb:\n  c: 2\n  d: 1\n');
  });

  it('writes several documents one after the other', () => {
    const text = yamlOf({ a: 1 }, { b: 2 });
    const documents = parseAllDocuments(text).map((document) => document.toJS() as unknown);
    expect(documents).toEqual([{ a: 1 }, { b: 2 }]);
  });

  it('puts in quotes what an older parser reads as something else', () => {
    expect(yamlOf({ a: 'no', b: '1:30', c: '4.20' })).toBe('a: "no"\nb: "1:30"\nc: "4.20"\n');
  });

  it('has no anchors, and breaks no line', () => {
    const list = ['x'.repeat(300)];
    expect(yamlOf({ a: list, b: list })).not.toMatch(/[&*>]/);
  });

  it('is read as what was written, by both versions of YAML', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.string()), (value) => {
        const text = yamlOf({ data: value });
        for (const version of ['1.1', '1.2'] as const) {
          expect(parse(text, { version })).toEqual({ data: { ...value } });
        }
      }),
    );
  });
});
