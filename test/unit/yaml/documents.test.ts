import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { projectPath } from '../../../scripts/lib/project-root.ts';
import { readImageSet } from '../../../src/image-sets/read.ts';
import { readChartIndex } from '../../../src/kinds/chart/repository-index.ts';
import {
  MAX_YAML_DEPTH,
  parse,
  parseAllDocuments,
  parseDocument,
} from '../../../src/yaml/documents.ts';

/** Ways to be nested, each with text that closes it. */
const NESTED: readonly (readonly [string, (depth: number) => string])[] = [
  ['lists in brackets', (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`],
  ['mappings in braces', (depth) => `${'{a: '.repeat(depth)}1${'}'.repeat(depth)}`],
  ['lists', (depth) => `${'- '.repeat(depth)}1`],
  [
    'mappings',
    (depth) => Array.from({ length: depth }, (_, at) => `${' '.repeat(at)}a:`).join('\n'),
  ],
];

describe('YAML', () => {
  it.each(NESTED)('may be nested in %s as deep as anybody does', (_, text) => {
    expect(parseDocument(text(MAX_YAML_DEPTH)).errors).toEqual([]);
    expect(() => parse(text(MAX_YAML_DEPTH - 1))).not.toThrow();
  });

  it.each(NESTED)('is given up where it is nested deeper in %s', (_, text) => {
    for (const depth of [MAX_YAML_DEPTH + 2, 5000]) {
      const [fault, ...more] = parseDocument(text(depth)).errors;
      expect(fault).toMatchObject({
        code: 'RESOURCE_EXHAUSTION',
        message: expect.stringContaining('it is nested deeper than 256 levels at line') as string,
      });
      expect(more).toEqual([]);
    }
    expect(() => parse('['.repeat(1_000_000))).toThrow('nested deeper');
  });

  it('is given up at its first fault, of however many', () => {
    const text = `a: "${'\\\n'.repeat(200_000)}"`;
    const { errors } = parseDocument(text);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ code: 'MISSING_CHAR' });
    expect(parseAllDocuments(`a: 1\n---\n${text}`).flatMap((one) => one.errors)).toHaveLength(1);
  });

  it('has no key that is a list or a mapping, however deep', () => {
    for (const text of ['? [1]', '{[1]: 2}', '? {a: 1}\n: 2', '? '.repeat(200), '? '.repeat(5000)])
      expect(parseDocument(text, { uniqueKeys: false }).errors).toHaveLength(1);
    expect(parseDocument('? a\n: 2').errors).toEqual([]);
  });

  it('may have quotes in its texts', () => {
    const text = `a: it's\nb: 'it''s'\nc: "\\""\nd: |\n  "x\n  'y\ne: x "y\nf: x 'y\n`;
    expect(parseDocument(text).errors).toEqual([]);
    expect(parse(`- "\\\n  a"\n- 'b\n\n  c'\n- |\n  "\n- >\n  '`)).toEqual([
      ...['a', 'b\nc', '"\n', "'\n"],
    ]);
  });

  it('has no key twice, unless that is allowed', () => {
    expect(() => parse('a: 1\nb: {c: 1, c: 2}')).toThrow('Map keys must be unique at line 2');
    expect(parseDocument('a: 1\na: 2', { uniqueKeys: false }).errors).toEqual([]);
    const merged = 'x: &x {a: 1}\ny: &y {b: 2}\nz: {<<: *x, <<: *y}';
    expect(parse(merged, { merge: true })).toMatchObject({ z: { a: 1, b: 2 } });
    const many = Array.from({ length: 20_000 }, (_, at) => `k${at}: 1`).join('\n');
    expect(() => parse(`${many}\nk0: 1`)).toThrow('unique');
  });

  it('has comments, positions and values as before', () => {
    const [first, second] = parseAllDocuments('# one\na: [1, &x b]\n--- # two\n*y\n');
    expect(first!.toJS()).toEqual({ a: [1, 'b'] });
    expect(second).toMatchObject({ errors: [] });
    expect(parse('')).toBeNull();
    expect(parseDocument('a: 1\n---\nb: 2').errors).toMatchObject([{ code: 'MULTIPLE_DOCS' }]);
    expect(parseDocument('a: [').errors[0]).toMatchObject({ linePos: [{ line: 1 }, {}] });
  });

  it('is told in the words of its reader where it is nested too deep', () => {
    const deep = '['.repeat(100_000);
    const words = 'nested deeper than 256 levels';
    expect(() => readChartIndex(Buffer.from(deep), 'https://r.io')).toThrow(words);
    expect(readImageSet(deep).findings).toMatchObject([
      { code: 'syntax', message: 'its lists and mappings are too deep' },
    ]);
  });

  it('is parsed nowhere else', async () => {
    const files = await readdir(projectPath('src'), { recursive: true });
    for (const file of files.filter((name) => name.endsWith('.ts') && !name.startsWith('yaml/'))) {
      const text = await readFile(join(projectPath('src'), file), 'utf8');
      expect(text, file).not.toMatch(/import \{[^}]*\bparse\w*\b[^}]*\} from 'yaml'/);
    }
  });
});
