import { basename } from 'node:path';

import { BundleError } from '../../../core/errors.ts';
import { hexOf } from '../../../core/digest.ts';
import { shellWord } from '../../../core/text.ts';
import { type Receipt, receiptDigest, targetName } from '../../../receipts/receipt.ts';
import { type PaperReceipt, typedText } from '../../../receipts/paper/paper.ts';
import type { Modules } from '../../../receipts/paper/qr.ts';
import type { CheckedReceipt } from '../../../receipts/signed.ts';
import type { ShownReceipt } from '../../../workflows/receipts/look.ts';
import type { WrittenReceipt } from '../../../history/publish.ts';
import type { Outcome } from '../../command.ts';
import type { Report, Rows, Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';

/** How somebody knows that a bundle is there, for people. */
const KNOWN = {
  delivered: 'pushed, or found there, by unpack when this receipt was made',
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
  return [['receipt', written?.path], ...paperRows(written?.paper ?? [])];
}

export function writtenJson(written: WrittenReceipt | undefined): object | undefined {
  if (written === undefined) return undefined;
  const { path, paper, receipt } = written;
  return { path, paper, ...receiptJson(receipt) };
}

/** @param paper files that were written of it. */
export function showReport(
  { path, receipt, signer }: ShownReceipt,
  paper: readonly string[],
): Outcome {
  return {
    json: { path, isProven: signer !== undefined, paper, receipt: receiptJson(receipt) },
    report: (screen) => [
      [
        signer === undefined
          ? { verdict: `NOT PROVEN: the signer of ${path} is not known here`, mood: 'warning' }
          : { verdict: `The signature of ${path} is good`, mood: 'good' },
        ...(signer === undefined ? UNPROVEN : []),
      ],
      ...(paper.length === 0 ? [] : [[{ facts: paperRows(paper) }]]),
      ...receiptSections(receipt, screen),
    ],
  };
}

/** Several receipts: a list for programs, and one alone as it is. */
export function showReports(reports: readonly Outcome[]): Outcome {
  const [first] = reports;
  if (first !== undefined && reports.length === 1) return first;
  return {
    json: { receipts: reports.map(({ json }) => json) },
    report: (screen) => reports.flatMap(({ report }) => report(screen)),
  };
}

const UNPROVEN: Section = [
  {
    text:
      'Nobody has checked its signature. With the public key of the site, which you got out of ' +
      'band, name it here and in the commands that read the receipt: --trusted-key KEY.pub.',
  },
];

/** What to do with a receipt that was written. */
export function receiptSteps(written: WrittenReceipt | undefined): Section {
  if (written === undefined) return [];
  const by = written.paper.length === 0 ? '' : ', or its paper';
  return [
    {
      text:
        `The receipt goes back: carry its file${by} to those who pack. With the public key of ` +
        `this site, they read it${by === '' ? '' : ' (paper first with bundle receipt scan)'}:`,
    },
    {
      commands: [
        `bundle history import ${shellWord(basename(written.path))} --trusted-key KEY.pub`,
      ],
    },
  ];
}

function paperRows(paper: readonly string[]): Rows {
  return paper.map((path) => ['for paper', path] as const);
}

/** Receipts that were read from paper, and the files that they are in now. */
export function paperReport(shown: readonly ShownReceipt[]): Outcome {
  const reports = shown.map((one) => showReport(one, []));
  return {
    json: { receipts: reports.map(({ json }) => json) },
    report: (screen) => [
      [{ facts: shown.map(({ path }): [string, string] => ['written', path]) }],
      ...reports.flatMap(({ report }) => report(screen)),
    ],
  };
}

/**
 * The QR codes of a receipt in half blocks, two modules in a character, and its lines.
 * @param columns of the terminal; `undefined` where it is none.
 * @throws BundleError USAGE for a terminal that is too narrow
 */
export function paperText(
  shown: ShownReceipt,
  paper: PaperReceipt,
  columns: number | undefined,
): string {
  const widest = Math.max(...paper.codes.map(({ modules }) => modules.length));
  if (columns !== undefined && columns < widest) {
    throw new BundleError('USAGE', 'the terminal is too narrow for the codes', {
      expected: `${widest} columns`,
      got: `${columns}`,
      hint: 'Make it wider, or have them written as pictures: -o FOLDER.',
    });
  }
  const codes = paper.codes.map(
    ({ name, modules }) =>
      `receipt ${paper.id}, ${name}\n${inHalfBlocks(modules, columns !== undefined)}`,
  );
  return [...codes, typedText(shown, paper)].join('\n\n');
}

/** A dark terminal shows blocks light, so they are the light modules; colours hold for any. */
function inHalfBlocks(modules: Modules, isTerminal: boolean): string {
  const lines: string[] = [];
  for (let at = 0; at < modules.length; at += 2) {
    const upper = modules[at]!;
    const lower = modules[at + 1];
    const line = upper
      .map((dark, column) => BLOCKS[`${dark} ${lower?.[column] ?? true}`]!)
      .join('');
    lines.push(isTerminal ? `\u001B[97;40m${line}\u001B[0m` : line);
  }
  return lines.join('\n');
}

const BLOCKS: Readonly<Record<string, string>> = {
  'false false': '█',
  'false true': '▀',
  'true false': '▄',
  'true true': ' ',
};

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

const FIRST = 'none: the first receipt of this site that its host knows';

export function receiptSections(receipt: Receipt, screen: Screen): Report {
  const { site, time, target, bundles, program, previous, replaces, signer } = receipt;
  const facts: Section = [
    {
      facts: [
        ['site', site],
        ['target', targetName(target)],
        ['time', time],
        ['receipt', shortened(hexOf(receiptDigest(receipt)), screen)],
        ['previous', previous === null ? FIRST : `receipt ${shortened(hexOf(previous), screen)}`],
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
          ['evidence', KNOWN[known]],
          [whole ? 'whole' : 'in part', parts.map(({ label }) => label).join(', ')],
        ],
      },
    ]),
    ...(bundles.length === 0 ? [[{ text: 'It names no bundle.' }]] : []),
  ];
}
