import { describe, expect, it } from 'vitest';

import type { Digest } from '../../../src/core/digest.ts';
import { issueReceipt } from '../../../src/receipts/issue.ts';
import { parseReceipt, receiptDigest } from '../../../src/receipts/receipt.ts';
import { type CheckedReceipt, signReceipt } from '../../../src/receipts/signed.ts';
import { standingsOf } from '../../../src/receipts/standing.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import { bundleRow, receiptOf, siteKey } from '../../support/receipts.ts';

const { site, target } = receiptOf([]);
const AT = new Date('2026-11-28T23:05:00.700Z');

function issued(
  name: string,
  earlier: readonly CheckedReceipt[],
  more: { readonly at?: Date; readonly isAfresh?: boolean; readonly gone?: Digest[] } = {},
): CheckedReceipt {
  const { at = AT, ...rest } = more;
  const issue = { site, target, bundles: [bundleRow(name)], ...rest };
  return issueReceipt(issue, earlier, siteKey, at);
}

const told = ({ receipt }: CheckedReceipt): readonly string[] =>
  receipt.bundles.map(({ name, known }) => `${name} ${known}`);

describe('a receipt that follows another', () => {
  const first = issued('a', []);

  it('names it, is later, and repeats what it says', () => {
    const second = issued('b', [first]);
    expect(first.receipt.previous).toBeNull();
    expect(second.receipt.previous).toBe(receiptDigest(first.receipt));
    expect(second.receipt.time).toBe('2026-11-28T23:05:01Z');
    expect(told(second)).toEqual(['b delivered', 'a earlier']);
  });

  it('is none where nothing could be later', () => {
    const last = issued('a', [], { at: new Date('9999-12-31T23:59:59Z') });
    expect(() => issued('b', [last])).toThrow(
      'no receipt can be later than the last one of plant-a',
    );
  });

  it('is of a day that exists', () => {
    const { bytes } = issued('a', [], { at: new Date('2026-02-28T10:00:00Z') });
    const text = Buffer.from(bytes).toString();
    expect(parseReceipt(Buffer.from(text)).time).toBe('2026-02-28T10:00:00Z');
    const strange = Buffer.from(text.replace('2026-02-28', '2026-02-30'));
    expect(() => parseReceipt(strange)).toThrow('its time is none: 2026-02-30T10:00:00Z');
  });

  it('is later even when the clock was put back', () => {
    const second = issued('b', [first], { at: new Date('2020-01-01T00:00:00Z') });
    expect(second.receipt.time > first.receipt.time).toBe(true);
  });

  it('says of a bundle that came again only that', () => {
    expect(told(issued('a', [first]))).toEqual(['a delivered']);
  });

  it('repeats nothing when it begins afresh', () => {
    const second = issued('b', [first], { isAfresh: true });
    expect(told(second)).toEqual(['b delivered']);
    expect(second.receipt.replaces).toBe(true);
  });

  it('replaces the earlier ones when something of them is gone, and repeats the rest', () => {
    const second = issued('b', [first]);
    const third = issued('c', [first, second], { gone: [bundleRow('a').digest] });
    expect(told(third)).toEqual(['c delivered', 'b earlier']);
    expect(third.receipt.replaces).toBe(true);
    const other = issued('c', [first, second], { gone: [bundleRow('x').digest] });
    expect(other.receipt.replaces).toBe(false);
  });

  it('repeats nothing of other keys, sites and targets', () => {
    const others = [
      signReceipt(receiptOf([bundleRow('x')]), SigningKey.generate('ed25519')),
      signReceipt(receiptOf([bundleRow('y')], { site: 'plant-b' }), siteKey),
      signReceipt(
        receiptOf([bundleRow('z')], { target: { ...target, namespace: 'other' } }),
        siteKey,
      ),
    ];
    const { receipt } = issued('b', others);
    expect(receipt.bundles.map(({ name }) => name)).toEqual(['b']);
    expect(receipt.previous).toBeNull();
  });

  it('keeps parts that came earlier apart from those of now', () => {
    const of = (number: number): ReturnType<typeof bundleRow> =>
      bundleRow('m', { whole: false, parts: [{ number, label: `m${number}` }] });
    const one = signReceipt(receiptOf([of(0)]), siteKey);
    const issue = { site, target, bundles: [of(1)] };
    const two = issueReceipt(issue, [one], siteKey, AT);
    expect(told(two)).toEqual(['m delivered', 'm earlier']);
    const [standing] = standingsOf([two.receipt]);
    expect([...standing!.bundles[0]!.parts.keys()].sort()).toEqual([0, 1]);
    expect(standing!.bundles[0]!.whole).toBe(false);
  });
});

describe('receipts together', () => {
  const a = receiptOf([bundleRow('a')], { time: '2026-01-01T00:00:00Z' });
  const b = receiptOf([bundleRow('b')], { time: '2026-02-01T00:00:00Z' });
  const pruned = receiptOf([bundleRow('b')], { time: '2026-03-01T00:00:00Z', replaces: true });
  const c = receiptOf([bundleRow('c')], { time: '2026-04-01T00:00:00Z' });
  const elsewhere = receiptOf([bundleRow('d')], { site: 'plant-b' });
  const signed = [c, b, elsewhere, pruned, a].map((one) => signReceipt(one, siteKey).receipt);

  it('prove what any of them says since the last that replaces the others', () => {
    const [plantA, plantB] = standingsOf(signed);
    expect(plantA!.bundles.map(({ name }) => name)).toEqual(['b', 'c']);
    expect(plantA!.newest.time).toBe(c.time);
    expect(plantA!.replaced.map(({ time }) => time)).toEqual([a.time, b.time]);
    expect(plantB!.bundles.map(({ name }) => name)).toEqual(['d']);
  });
});
