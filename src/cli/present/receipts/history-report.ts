import { type Digest, hexOf } from '../../../core/digest.ts';
import { counted, formatBytes, optionWords } from '../../../core/text.ts';
import { type Receipt, receiptDigest, targetName } from '../../../receipts/receipt.ts';
import type { ImportReport } from '../../../workflows/history/import.ts';
import type { HistoryReport, PackedBundle, SiteReport } from '../../../workflows/history/look.ts';
import type { Outcome } from '../../command.ts';
import type { Report, Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';
import { receiptJson } from './receipt-report.ts';

export function historyReport(history: HistoryReport): Outcome {
  const { folder, bundles, deliveries, damaged } = history;
  return {
    json: {
      folder,
      bundles: bundles.map(({ digest, kept, ...facts }) => ({
        digest: hexOf(digest),
        kept: kept.toISOString(),
        ...facts,
      })),
      deliveries: deliveries.map(({ receipt }) => receiptJson(receipt)),
      sites: history.sites.map(siteJson),
      damaged: damaged.map(({ message }) => message),
    },
    report: (screen) => [
      [{ facts: [['history', folder]] }],
      ...(bundles.length === 0
        ? [[{ text: 'No bundle is known here.' }]]
        : bundles.map((bundle) => bundleSection(bundle, screen))),
      ...damagedSections(history),
      deliveries.length === 0
        ? [{ text: noReceiptText(history) }]
        : [
            {
              table: {
                heads: ['receipt', 'site', 'bundle'],
                rows: deliveries.flatMap(({ receipt: { time, site, bundles: rows } }) =>
                  rowsOf(rows).map((name, at) => (at === 0 ? [time, site, name] : ['', '', name])),
                ),
                cut: 2,
              },
            },
          ],
    ],
  };
}

/** A row for each bundle: a list in one cell would be cut off. */
function rowsOf(bundles: Receipt['bundles']): readonly string[] {
  if (bundles.length === 0) return ['none'];
  return bundles.map(({ name, whole }) => (whole ? name : `${name} (in part)`));
}

function noReceiptText({ leftAside }: HistoryReport): string {
  if (leftAside === 0) return 'No receipt is known here.';
  return `${counted(leftAside, 'receipt is', 'receipts are')} here, and not counted.`;
}

function bundleSection(
  { name, digest, kept, labels, blobs, bytes, sites }: PackedBundle,
  screen: Screen,
): Section {
  return [
    {
      facts: [
        ['bundle', name],
        ['bundle digest', shortened(hexOf(digest), screen)],
        ['kept', kept.toISOString().slice(0, 10)],
        ['holds', labels.join(', ')],
        ['size', `${counted(blobs, 'blob')}, ${formatBytes(bytes)}`],
        ['is at', sites.length === 0 ? 'no site, by the receipts that count' : sites.join(', ')],
      ],
    },
  ];
}

function damagedSections({ damaged }: HistoryReport): Report {
  return damaged.map((error) => [
    { verdict: error.message, mood: 'bad' },
    { text: error.hint ?? '' },
  ]);
}

export function sitesReport(history: HistoryReport): Outcome {
  const { folder, sites } = history;
  return {
    json: { folder, sites: sites.map(siteJson), damaged: history.damaged.map((e) => e.message) },
    report: (screen) => [
      ...(sites.length === 0
        ? [[{ text: history.leftAside > 0 ? noReceiptText(history) : NO_SITE }]]
        : sites.map((site) => siteSection(site, screen))),
      ...damagedSections(history),
    ],
  };
}

const NO_SITE = 'No site is known here: bundle history import reads its receipts.';

function siteSection(site: SiteReport, screen: Screen): Section {
  const { target, newest, bundles, blobs, bytes, unknown } = site;
  return [
    {
      facts: [
        ['site', site.site],
        ['target', targetName(target)],
        ['newest receipt', newest.time],
        ...bundles.map(({ name, digest, whole, parts }): [string, string] => [
          whole ? 'has' : 'has in part',
          `${name} (${shortened(hexOf(digest), screen)}): ${[...parts.values()].join(', ')}` +
            (unknown.includes(digest) ? '; it is not known here' : ''),
        ]),
        ['proven', `${counted(blobs, 'blob')}, ${formatBytes(bytes)}`],
      ],
    },
  ];
}

function siteJson(standing: SiteReport): object {
  const { site, target, newest, bundles, blobs, bytes, unknown, replaced } = standing;
  return {
    site,
    target,
    newest: { digest: hexOf(receiptDigest(newest)), time: newest.time },
    bundles: bundles.map(({ name, digest, whole, parts, receipts }) => ({
      ...{ name, digest: hexOf(digest), whole },
      parts: [...parts].map(([number, label]) => ({ number, label })),
      receipts: receipts.map((receipt: Digest) => hexOf(receipt)),
    })),
    ...{ blobs, bytes },
    unknown: unknown.map((digest) => hexOf(digest)),
    replaced: replaced.map((receipt) => hexOf(receiptDigest(receipt))),
  };
}

/** @param keyFiles of sites, which were named for this run alone. */
export function importReport(
  folder: string,
  { bundles, receipts }: ImportReport,
  keyFiles: readonly string[],
): Outcome {
  const total = bundles.length + receipts.length;
  return {
    json: {
      folder,
      bundles: bundles.map(({ path, name, digest }) => ({ path, name, digest: hexOf(digest) })),
      receipts: receipts.map(({ path, receipt, isNew }) => ({
        path,
        isNew,
        ...receiptJson(receipt),
      })),
    },
    report: (screen) => [
      [{ verdict: `Imported ${counted(total, 'file')} into ${folder}`, mood: 'good' }],
      ...bundles.map(({ path, name, digest }): Section => [
        {
          facts: [
            ['file', path],
            ['bundle', name],
            ['bundle digest', shortened(hexOf(digest), screen)],
          ],
        },
      ]),
      ...receipts.map(({ path, receipt: { site, time, bundles: rows }, isNew }): Section => [
        {
          facts: [
            ['file', path],
            ['receipt', isNew ? `of ${site}` : `of ${site}, which was known already`],
            ['time', time],
            ['bundles', rows.map(({ name }) => name).join(', ')],
          ],
        },
      ]),
      receipts.length === 0 ? [] : keySteps(keyFiles),
    ],
  };
}

function keySteps(keyFiles: readonly string[]): Section {
  if (keyFiles.length === 0) return [];
  const keys = keyFiles.length === 1 ? 'this key' : 'these keys';
  const words = optionWords('trusted-key', keyFiles).join(' ');
  return [{ text: `Name ${keys} in each command that reads the receipts: ${words}.` }];
}
