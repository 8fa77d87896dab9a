import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { documentsOf, readDocument } from '../../../../src/catalogs/reading/documents.ts';
import { utf8 } from '../../../../src/core/bytes.ts';

interface Found {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly value: unknown;
}

/** All documents of a text that comes in pieces of `size` bytes, each reused as streams do. */
async function read(text: string, size = 7): Promise<readonly Found[]> {
  const bytes = Buffer.from(text);
  const content = async function* (): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.alloc(size);
    for (let at = 0; at < bytes.length; at += size) {
      const length = bytes.copy(buffer, 0, at, at + size);
      yield buffer.subarray(0, length);
      buffer.fill(0x21);
    }
  };
  const found: Found[] = [];
  for await (const document of documentsOf(content(), 'catalog')) {
    found.push({
      text: utf8(document.bytes),
      start: document.start,
      end: document.end,
      value: readDocument(document),
    });
  }
  return found;
}

describe('documents that are nested deep', () => {
  it.each(['[', '{"a":', '{"a":['])(
    'are refused, and nothing calls itself for that: %s',
    async (own) => {
      const text = `{"schema":"olm.package","name":"p","properties":${own.repeat(50_000)}`;
      const refused = { code: 'UNSUPPORTED_CONTENT' };
      await expect(read(text, 4096)).rejects.toMatchObject(refused);
      await expect(read(`---\n${text}`, 4096)).rejects.toMatchObject(refused);
    },
  );
});

describe('documents in JSON', () => {
  it('are found wherever they end, with their exact bytes', async () => {
    const text = ' {"a":"}{\\"\\\\"}\n{"b":[{"c":1}]}{"d":{}}\n';
    const found = await read(text);
    expect(found.map(({ value }) => value)).toEqual([{ a: '}{"\\' }, { b: [{ c: 1 }] }, { d: {} }]);
    for (const { text: own, start, end } of found) expect(text.slice(start, end)).toBe(own);
  });

  it('are the same in pieces of any size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 4 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(undefined, 2),
        async (values, size, indent) => {
          const text = values.map((value) => JSON.stringify(value, null, indent)).join('\n');
          const found = await read(text, size);
          expect(found.map((document) => document.value)).toEqual(
            values.map((value) => JSON.parse(JSON.stringify(value)) as unknown),
          );
          for (const { text: own, start, end } of found)
            expect(Buffer.from(text).subarray(start, end).toString()).toBe(own);
        },
      ),
    );
  });

  it.each([
    ['{"a":1}\n{"b":', 'document 2 of catalog ends in the middle'],
    ['{"a":1}]', 'document 2 of catalog does not begin with {'],
    ['{"a":1 "b"}', 'document 1 of catalog is not valid JSON'],
    ['{"a":]', 'document 1 of catalog is not valid JSON'],
    [`{"a":${'['.repeat(20_000)}`, 'document 1 of catalog is nested deeper than 500 levels'],
  ])('are refused by file and number: %.20s', async (text, message) => {
    await expect(read(text)).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      exitStatus: 20,
      message,
    });
  });

  it('are refused where one has no end', async () => {
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('{"a":"');
      const piece = Buffer.alloc(1024 * 1024, 'x');
      for (;;) yield piece;
    };
    const reading = async (): Promise<void> => {
      for await (const document of documentsOf(endless(), 'catalog')) readDocument(document);
    };
    await expect(reading()).rejects.toMatchObject({
      exitStatus: 20,
      message: 'document 1 of catalog is larger than 67108864 bytes',
    });
  });
});

describe('documents in YAML', () => {
  it('begin with three dashes, and keep their exact bytes', async () => {
    const text = '# licence\n---\na: 1\n--- # next\nb: |\n  ---\n  x\n---\n\n---\n{"c": 3}\n...\n';
    const found = await read(text);
    expect(found.map(({ value }) => value)).toEqual([{ a: 1 }, { b: '---\nx\n' }, { c: 3 }]);
    for (const { text: own, start, end } of found) expect(text.slice(start, end)).toBe(own);
  });

  it('may have anchors and merge keys', async () => {
    const [document] = await read('base: &base {x: 1}\nall:\n  <<: *base\n  y: 2\n');
    expect(document?.value).toEqual({ base: { x: 1 }, all: { x: 1, y: 2 } });
  });

  it.each([
    ['a: 1\n---\nb: [\n', 'document 2 of catalog is not valid YAML at its line 2'],
    ['a: 1\na: 2\n', 'document 1 of catalog is not valid YAML at its line 2'],
    ['- a\n', 'document 1 of catalog is not an object'],
    ['word\n', 'document 1 of catalog is not an object'],
    [
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c]\n`,
      'document 1 of catalog has more than 100 aliases, or one of nothing',
    ],
  ])('are refused by file, number and line: %.20j', async (text, message) => {
    await expect(read(text)).rejects.toMatchObject({ exitStatus: 20, message });
  });
});

describe('a file without documents', () => {
  it.each(['', ' \n', '---\n', '# nothing\n'])('has none: %j', async (text) => {
    expect(await read(text)).toEqual([]);
  });
});
