import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { projectPath } from '../../../../scripts/lib/project-root.ts';
import { BundleError } from '../../../../src/core/errors.ts';
import {
  fromBase32,
  fromBase45,
  toBase32,
  toBase45,
} from '../../../../src/receipts/paper/alphabets.ts';
import { codesOf, joinCodes } from '../../../../src/receipts/paper/codes.ts';
import { compactOf, DICTIONARY, fromCompact } from '../../../../src/receipts/paper/compact.ts';
import { linesOf, TypedLines } from '../../../../src/receipts/paper/lines.ts';
import { signReceipt } from '../../../../src/receipts/signed.ts';
import { bundleRow, receiptOf, siteKey } from '../../../support/receipts.ts';

const names = ['ocp-4.17.3-x86_64', 'ocp-4.17.5-x86_64', 'ocp-4.18.1-multi'];
const signed = signReceipt(receiptOf(names.map((name) => bundleRow(name))), siteKey);
const compact = compactOf(signed);

const bytes = fc.uint8Array({ maxLength: 700 });

function errorOf(work: () => unknown): BundleError {
  try {
    work();
  } catch (error) {
    if (error instanceof BundleError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('the alphabets', () => {
  it('give back the bytes', () => {
    fc.assert(
      fc.property(bytes, (content) => {
        expect(fromBase32(toBase32(content))).toEqual(content);
        expect(fromBase45(toBase45(content))).toEqual(content);
      }),
    );
  });

  it('are those of the standards', () => {
    // RFC 9285, section 4.3; Crockford's digits of 0xffff.
    expect(toBase45(Buffer.from('Hello!!'))).toBe('%69 VD92EX0');
    expect(toBase45(Buffer.from('ietf!'))).toBe('QED8WEX0');
    expect(toBase32(Buffer.from([0xff, 0xff]))).toBe('ZZZG');
    expect(fromBase45('FGW')).toEqual(Uint8Array.of(0xff, 0xff));
    for (const wrong of ['GGW', 'a', ':::', 'A']) expect(fromBase45(wrong)).toBeUndefined();
    for (const wrong of ['U0', 'Z', 'ZZ']) expect(fromBase32(wrong)).toBeUndefined();
  });
});

describe('the compact form', () => {
  it('gives back the receipt to the byte, and is small', () => {
    const read = fromCompact(compact);
    expect(Buffer.from(read.bytes).equals(signed.bytes)).toBe(true);
    expect(Buffer.from(read.signature).equals(signed.signature)).toBe(true);
    expect(compact.length).toBeLessThan(signed.bytes.length / 3);
  });

  it('has the dictionary that the page says', () => {
    expect(readFileSync(projectPath('docs/receipts.md'), 'utf8')).toContain(
      `\`\`\`text\n${DICTIONARY}\`\`\``,
    );
  });

  it('is refused with an error, whatever else it is', () => {
    fc.assert(
      fc.property(bytes, (content) => {
        expect(errorOf(() => fromCompact(content)).code).toBe('UNSUPPORTED_CONTENT');
      }),
    );
  });
});

describe('codes', () => {
  const codes = codesOf(compact);
  const numbered = codes.slice(0, -1);

  it('have the characters of QR’s alphanumeric mode', () => {
    expect(codes.length).toBeGreaterThan(2);
    for (const code of codes) expect(code).toMatch(/^[0-9A-Z $%*+./:-]+$/);
  });

  it('make up the receipt in any order, doubled, with any one of them torn', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...codes, ...codes], {
          minLength: 2 * codes.length,
          maxLength: 2 * codes.length,
        }),
        fc.nat(codes.length),
        (order, torn) => {
          const read = order.filter((code) => code !== codes[torn]);
          expect(joinCodes([...read, 'https://example.com'])).toEqual([Buffer.from(compact)]);
        },
      ),
    );
  });

  it('hold what any length of bytes needs', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 3000 }), fc.nat(), (content, torn) => {
        const all = codesOf(content);
        const read = all.filter((_, at) => at !== torn % all.length);
        expect(joinCodes(read)).toEqual([Buffer.from(content)]);
      }),
    );
  });

  it('say which are missing', () => {
    const error = errorOf(() => joinCodes(numbered.slice(1)));
    expect(error.code).toBe('NOT_FOUND');
    expect(error.message).toContain(`code 1 is missing of the ${numbered.length}`);
    const two = errorOf(() => joinCodes([codes.at(-1)!, ...numbered.slice(2)]));
    expect(two.message).toContain('codes 1, 2 are missing');
    expect(errorOf(() => joinCodes([])).code).toBe('NOT_FOUND');
  });

  it('that were misread count as missing', () => {
    const misread = codes[0]!.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    expect(errorOf(() => joinCodes([misread, ...numbered.slice(1)])).message).toContain('code 1');
  });

  it('of two receipts are kept apart', () => {
    const other = compactOf(signReceipt(receiptOf([bundleRow('x')]), siteKey));
    const mixed = [...codesOf(other), ...codes].toReversed();
    expect(joinCodes(mixed)).toEqual([Buffer.from(compact), Buffer.from(other)]);
  });
});

describe('lines', () => {
  const lines = linesOf(compact)!;
  const entered = (some: readonly string[]): Uint8Array => {
    const typed = new TypedLines();
    for (const line of some) typed.add(line);
    return typed.compact();
  };

  it('make up the receipt, as people type them', () => {
    expect(Buffer.from(entered(lines)).equals(compact)).toBe(true);
    const sloppy = lines.map((line) =>
      line
        .toLowerCase()
        .replaceAll(/(?<=^...*)0/g, 'o')
        .replaceAll(/(?<=^...*)1/g, 'l')
        .replaceAll(' ', '-'),
    );
    expect(Buffer.from(entered(sloppy)).equals(compact)).toBe(true);
    const [first, ...rest] = lines;
    expect(Buffer.from(entered([first!, ...rest.toReversed(), rest[0]!])).equals(compact)).toBe(
      true,
    );
  });

  it('name the one with a wrong character, or two that are swapped', () => {
    fc.assert(
      fc.property(
        fc.nat(lines.length - 1),
        fc.nat(50),
        fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'.split('')),
        (at, place, character) => {
          const line = lines[at]!;
          const index = 4 + (place % (line.length - 4));
          const swapped =
            line.slice(0, index - 1) + line[index]! + line[index - 1]! + line.slice(index + 1);
          for (const wrong of [line.slice(0, index) + character + line.slice(index + 1), swapped]) {
            const isSame = wrong.replaceAll(' ', '') === line.replaceAll(' ', '');
            const typed = new TypedLines();
            if (at > 0) typed.add(lines[0]!);
            if (isSame || line[index] === ' ') continue;
            const { code, message } = errorOf(() => {
              typed.add(wrong);
            });
            expect(code).toBe('CONTENT_MISMATCH');
            expect(message).toMatch(/line/);
          }
        },
      ),
    );
  });

  it('say which are missing, and refuse those of another receipt', () => {
    const { message } = errorOf(() => entered([lines[0]!, ...lines.slice(2)]));
    expect(message).toBe('line 01 is missing');
    expect(errorOf(() => entered([])).message).toBe('line 00 is missing');
    expect(errorOf(() => entered([lines[1]!])).message).toContain('before line 00');
    const other = linesOf(compactOf(signReceipt(receiptOf([bundleRow('x')]), siteKey)))!;
    expect(errorOf(() => entered([lines[0]!, other[1]!])).message).toContain('another receipt');
  });

  it('are not made of what nobody would type', () => {
    expect(linesOf(new Uint8Array(99 * 20 + 1))).toBeUndefined();
    expect(linesOf(new Uint8Array(99 * 20))).toHaveLength(100);
  });
});
