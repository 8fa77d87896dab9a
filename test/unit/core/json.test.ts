import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_JSON_DEPTH } from '../../../src/core/limits.ts';
import { asSize, formatJson, type Json, parseStrictJson } from '../../../src/core/json.ts';

const parse = (text: string): Json => parseStrictJson(Buffer.from(text), 'test');
const refusal = expect.objectContaining({ code: 'UNSUPPORTED_CONTENT' }) as Error;

describe('parseStrictJson', () => {
  it.each([
    ['a key twice', '{"a":1,"a":1}'],
    ['a key twice, once escaped', String.raw`{"a":1,"\u0061":2}`],
    ['a key twice with others between', '{"a":1,"b":{"c":[{}]},"a":2}'],
    ['a key twice in an inner object', '[{"x":{"a":1,"a":2}}]'],
    ['a key twice with white space', '{"a" : 1 ,\n"a"\t:2}'],
    ['a key twice that is a quote', String.raw`{"\"":1,"\"":2}`],
    ['a key twice that ends with a backslash', String.raw`{"\\":1,"\\":2}`],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
    ['the empty key twice', '{"":1,"":2}'],
    ['an integer that no double holds', '{"size":9007199254740993}'],
    ['the first integer that is not safe', '[9007199254740992]'],
    ['a negative one', '[-9007199254740993]'],
    ['one at the top', '9007199254740993'],
    ['an integer of a thousand digits', `[${'9'.repeat(1000)}]`],
    ['a byte order mark', '\u{feff}{}'],
    ['a comma too many', '[1,]'],
    ['something behind', '{} {}'],
    ['nothing', ''],
    ['a single quote', "{'a':1}"],
    ['a number with a zero before it', '[01]'],
  ])('refuses %s', (_, text) => {
    expect(() => parse(text)).toThrow(refusal);
  });

  it('refuses bytes that are no UTF-8', () => {
    expect(() => parseStrictJson(Buffer.from('{"a":"\xff"}', 'latin1'), 'test')).toThrow(refusal);
    expect(() => parseStrictJson(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'test')).toThrow(
      refusal,
    );
  });

  it.each([
    ['one key in two objects', '[{"a":1},{"a":2}]'],
    ['one key inside its own value', '{"a":{"a":{"a":1}}}'],
    ['a key that is a value too', '{"a":"b","b":"a"}'],
    [
      'braces, colons and numbers in strings',
      '{"a":"{\\"a\\":1,\\"a\\":9007199254740993}","b":[":",":"]}',
    ],
    ['the largest safe integer', '[9007199254740991,-9007199254740991]'],
    ['fractions and exponents', '[0.1,1e3,-2.5E-3,12345678901234567.5]'],
    ['keys of objects in JavaScript', '{"__proto__":{"a":1},"constructor":2,"toString":3}'],
    ['keys that differ in case', '{"a":1,"A":2}'],
  ])('takes %s', (_, text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it('reads what JSON.parse reads, where no key comes twice', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        fc.pre(!holdsUnsafeInteger(JSON.parse(text)));
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('finds a key twice wherever it is', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
        fc.nat(),
        fc.jsonValue(),
        (object, at, again) => {
          const members = Object.entries(object).map(
            ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
          );
          const key = Object.keys(object)[at % members.length]!;
          const text = `[{${[...members, `${JSON.stringify(key)}:${JSON.stringify(again)}`].join(',')}}]`;
          expect(() => parse(text)).toThrow(refusal);
        },
      ),
    );
  });

  it('refuses what is nested so deep that it could not be written again', () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    expect(formatJson(parse(nested(MAX_JSON_DEPTH))).length).toBeGreaterThan(MAX_JSON_DEPTH);
    for (const depth of [MAX_JSON_DEPTH + 1, 50_000, 1_000_000])
      expect(() => parse(nested(depth))).toThrow(/nested deeper than/);
    expect(() => parse('{"a":'.repeat(50_000) + '1' + '}'.repeat(50_000))).toThrow(refusal);
  });

  it('does not tire of long strings, long numbers or deep nesting', () => {
    const long = 'x\\"'.repeat(3_000_000);
    expect(parse(JSON.stringify([long]))).toEqual([long]);
    expect(() => parse(`[${'1'.repeat(3_000_000)}]`)).toThrow(refusal);
    const deep = 50_000;
    expect(() => parse('['.repeat(deep))).toThrow(refusal);
  });

  it('reads back what formatJson writes', () => {
    const value = { b: 1, a: ['x', { c: null }] };
    expect(parseStrictJson(formatJson(value), 'test')).toEqual(value);
    expect(Buffer.from(formatJson(value)).toString()).toBe(
      '{\n  "b": 1,\n  "a": [\n    "x",\n    {\n      "c": null\n    }\n  ]\n}\n',
    );
  });
});

describe('asSize', () => {
  it.each([-1, 0.5, Number.MAX_SAFE_INTEGER + 1, Infinity, NaN, '5', null, undefined, [5], true])(
    'refuses %s',
    (value) => {
      expect(() => asSize(value, 'size')).toThrow(refusal);
    },
  );

  it.each([0, 1, Number.MAX_SAFE_INTEGER])('takes %s', (value) => {
    expect(asSize(value, 'size')).toBe(value);
  });
});

function holdsUnsafeInteger(value: unknown): boolean {
  if (typeof value === 'number')
    return /^-?[0-9]+$/.test(JSON.stringify(value)) && !Number.isSafeInteger(value);
  return (
    typeof value === 'object' && value !== null && Object.values(value).some(holdsUnsafeInteger)
  );
}
