import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  digestFromHex,
  Digester,
  digestOf,
  hexOf,
  isDigest,
  parseDigest,
} from '../../../src/core/digest.ts';

const EMPTY = `sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`;

describe('parseDigest', () => {
  it('takes a canonical SHA-256 digest', () => {
    expect(parseDigest(EMPTY)).toBe(EMPTY);
    expect(hexOf(parseDigest(EMPTY))).toBe(EMPTY.slice(7));
    expect(digestFromHex(EMPTY.slice(7))).toBe(EMPTY);
  });

  it.each([
    ['upper case', EMPTY.toUpperCase()],
    ['upper-case hex', `sha256:${EMPTY.slice(7).toUpperCase()}`],
    ['a digit less', EMPTY.slice(0, -1)],
    ['a digit more', `${EMPTY}0`],
    ['a line feed at the end', `${EMPTY}\n`],
    ['a space before', ` ${EMPTY}`],
    ['another algorithm', EMPTY.replace('sha256', 'sha512')],
    ['sha512 in full', `sha512:${'0'.repeat(128)}`],
    ['a path', `sha256:${'../'.repeat(22)}`],
    ['nothing', ''],
    ['no string', 42],
    ['undefined', undefined],
    ['a list that prints as one', [EMPTY]],
  ])('refuses %s', (_, value) => {
    expect(() => parseDigest(value)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_CONTENT' }) as Error,
    );
    if (typeof value === 'string') expect(isDigest(value)).toBe(false);
  });
});

describe('Digester', () => {
  it('does not care how the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (chunks) => {
        const digester = new Digester();
        for (const chunk of chunks) digester.update(chunk);
        const whole = Buffer.concat(chunks);
        expect(digester.size).toBe(whole.length);
        expect(digester.digest()).toBe(digestOf(whole));
        expect(digestOf(whole)).toBe(`sha256:${createHash('sha256').update(whole).digest('hex')}`);
      }),
    );
  });
});
