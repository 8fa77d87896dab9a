import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { hasCode } from '../../../src/core/errors.ts';
import { formatReceipt, parseReceipt, type ReceiptPart } from '../../../src/receipts/receipt.ts';
import {
  checkReceipt,
  formatSigned,
  parseSigned,
  signReceipt,
} from '../../../src/receipts/signed.ts';
import { KEY_TYPES } from '../../../src/trust/key-types.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import { bundleRow, receiptOf, siteKey } from '../../support/receipts.ts';

const made = receiptOf([bundleRow('ocp-4.17.3'), bundleRow('ocp-4.17.5', { known: 'earlier' })]);

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'nothing';
  } catch (error) {
    return hasCode(error, 'SIGNATURE_INVALID') ||
      hasCode(error, 'SIGNER_UNKNOWN') ||
      hasCode(error, 'UNSUPPORTED_CONTENT')
      ? error.code
      : String(error);
  }
}

describe('a signed receipt', () => {
  it.each(KEY_TYPES)('is read back and good, with a key of type %s', (type) => {
    const key = SigningKey.generate(type);
    const signed = signReceipt(made, key);
    const read = parseSigned(formatSigned(signed), 'a receipt');
    expect(read.receipt).toEqual({ ...made, signer: key.public.id });
    expect(checkReceipt(read, [key.public], 'a receipt').signer.id).toBe(key.public.id);
  });

  it('has the signed bytes between its first and its last line', () => {
    const signed = signReceipt(made, siteKey);
    const lines = Buffer.from(formatSigned(signed)).toString().split('\n');
    expect(`${lines.slice(1, -2).join('\n')}\n`).toBe(Buffer.from(signed.bytes).toString());
  });

  it('is JSON as a whole', () => {
    const signed = signReceipt(made, siteKey);
    expect(JSON.parse(Buffer.from(formatSigned(signed)).toString())).toEqual({
      receipt: JSON.parse(Buffer.from(signed.bytes).toString()) as unknown,
      signature: Buffer.from(signed.signature).toString('base64'),
    });
  });

  it('is refused for every byte that is changed, left out or put in', () => {
    const file = Buffer.from(formatSigned(signReceipt(made, siteKey)));
    const read = (changed: Buffer): string =>
      codeOf(() => checkReceipt(parseSigned(changed, 'f'), [siteKey.public], 'f'));
    expect(read(file)).toBe('nothing');
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const flipped = Buffer.from(file);
        flipped[at] = flipped[at]! ^ by;
        const cut = Buffer.concat([file.subarray(0, at), file.subarray(at + 1)]);
        const longer = Buffer.concat([file.subarray(0, at), Buffer.of(by), file.subarray(at)]);
        for (const changed of [flipped, cut, longer, file.subarray(0, at)])
          expect(read(changed)).toMatch(/^(SIGNATURE_INVALID|SIGNER_UNKNOWN|UNSUPPORTED_CONTENT)$/);
      }),
      { numRuns: 200 },
    );
  });

  it('is refused if another key has signed it, or the key is not known', () => {
    const other = SigningKey.generate('ecdsa-p256');
    const bytes = formatReceipt({ ...made, signer: siteKey.public.id });
    const forged = { receipt: parseReceipt(bytes), bytes, signature: other.sign(bytes) };
    expect(codeOf(() => checkReceipt(forged, [siteKey.public, other.public], 'f'))).toBe(
      'SIGNATURE_INVALID',
    );
    const honest = signReceipt(made, siteKey);
    expect(() => checkReceipt(honest, [other.public], 'f')).toThrow(
      expect.objectContaining({
        code: 'SIGNER_UNKNOWN',
        hint: expect.stringMatching(
          /key that the site \S+ signs its receipts with.* no receipt\./,
        ) as string,
      }),
    );
  });
});

describe('the bytes of a receipt', () => {
  it.each([
    ['another format', { format: 2 }],
    ['a site with a slash', { site: 'plant/a' }],
    ['a time without seconds', { time: '2026-11-28T23:05Z' }],
    ['a month that is none', { time: '2026-13-28T23:05:00Z' }],
    ['a bundle without parts', { bundles: [bundleRow('a', { parts: [] })] }],
    ['a bundle twice', { bundles: [bundleRow('a'), bundleRow('a')] }],
    ['a key more', { more: 1 }],
  ])('are refused with %s', (_, more) => {
    const document = JSON.parse(
      Buffer.from(formatReceipt({ ...made, signer: siteKey.public.id })).toString(),
    ) as object;
    const bytes = Buffer.from(`${JSON.stringify({ ...document, ...more }, null, 2)}\n`);
    expect(codeOf(() => parseReceipt(bytes))).toBe('UNSUPPORTED_CONTENT');
  });

  it.each([
    [{ number: -1, label: 'a' }, 'the number of a part in bundles[0] is no whole number from 0 on'],
    [{ number: 'one', label: 'a' }, 'the number of a part in bundles[0] is no whole number'],
    [{ number: 0, label: 1 }, 'the label of a part in bundles[0] is not a string'],
  ])('say what is wrong with a part: %j', (part, message) => {
    const row = bundleRow('a', { parts: [part as ReceiptPart] });
    const bytes = formatReceipt({ ...receiptOf([row]), signer: siteKey.public.id });
    const file = formatSigned({ ...signReceipt(made, siteKey), bytes });
    expect(() => parseSigned(file, 'receipt-a.json')).toThrow(/^receipt-a\.json: /);
    expect(() => parseSigned(file, 'receipt-a.json')).toThrow(message);
  });
});
