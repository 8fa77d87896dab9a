import { hexOf } from '../../../core/digest.ts';
import { type Receipt, receiptDigest, targetName } from '../../../receipts/receipt.ts';
import type { CheckedReceipt } from '../../../receipts/signed.ts';
import type { ShownReceipt } from '../../../workflows/receipts/look.ts';
import type { WrittenReceipt } from '../../../history/publish.ts';
import type { Outcome } from '../../command.ts';
import type { Report, Rows, Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';

/** How somebody knows that a bundle is there, for people. */
const KNOWN = {
  delivered: 'delivered by this run',
  asked: 'the registry has every blob',
  read: 'every blob was read at the registry',
  earlier: 'as an earlier receipt says',
} as const;

/** What a receipt says, for programs. */
export function receiptJson(receipt: Receipt): object {
  return { digest: hexOf(receiptDigest(receipt)), ...receipt };
}

/** The lines of `unpack` about a receipt that it has written. */
export function receiptRows(written: WrittenReceipt | undefined): Rows {
  return [['receipt', written?.path]];
}

export function writtenJson(written: WrittenReceipt | undefined): object | undefined {
  return written && { path: written.path, ...receiptJson(written.receipt) };
}

export function showReport({ path, receipt, signer }: ShownReceipt): Outcome {
  return {
    json: { path, isProven: signer !== undefined, receipt: receiptJson(receipt) },
    report: (screen) => [
      [
        signer === undefined
          ? { verdict: `NOT PROVEN: the signer of ${path} is not known here`, mood: 'warning' }
          : { verdict: `The signature of ${path} is good`, mood: 'good' },
      ],
      ...receiptSections(receipt, screen),
    ],
  };
}

export function checkReport(
  checked: readonly (CheckedReceipt & { readonly path: string })[],
): Outcome {
  return {
    json: { receipts: checked.map(({ path, receipt }) => ({ path, ...receiptJson(receipt) })) },
    report: (screen) =>
      checked.flatMap(({ path, receipt }): Report => [
        [{ verdict: `${path} is good`, mood: 'good' }],
        ...receiptSections(receipt, screen),
      ]),
  };
}

export function receiptSections(receipt: Receipt, screen: Screen): Report {
  const { site, time, target, bundles, program, previous, replaces, signer } = receipt;
  const facts: Section = [
    {
      facts: [
        ['site', site],
        ['target', targetName(target)],
        ['time', time],
        ['receipt', shortened(hexOf(receiptDigest(receipt)), screen)],
        ['follows', previous === null ? 'none that is known' : shortened(hexOf(previous), screen)],
        ['replaces', replaces ? 'all receipts before it' : undefined],
        ['program', program],
        ['signer', shortened(signer, screen)],
      ],
    },
  ];
  return [
    facts,
    ...bundles.map(({ name, digest, whole, known, parts }): Section => [
      {
        facts: [
          ['bundle', name],
          ['bundle digest', shortened(hexOf(digest), screen)],
          ['known', KNOWN[known]],
          [whole ? 'whole' : 'in part', parts.map(({ label }) => label).join(', ')],
        ],
      },
    ]),
    ...(bundles.length === 0 ? [[{ text: 'It names no bundle.' }]] : []),
  ];
}
