import { basename, dirname } from 'node:path';

import { hexOf } from '../../../core/digest.ts';
import { counted, folderText, formatBytes, leavesText, pathWord } from '../../../core/text.ts';
import type { EachReport } from '../../../packing/report.ts';
import { type Outcome, PARTLY_DONE } from '../../command.ts';
import type { Section } from '../layout.ts';
import { holesText } from '../parts/holes.ts';
import { packerAlone } from './packer-alone.ts';
import { offersText } from '../parts/offers.ts';
import { partsFacts } from '../parts/part-facts.ts';
import { signatureRows } from '../parts/signature-facts.ts';
import type { Screen } from '../screen.ts';
import { size as sizeText } from '../shown.ts';
import {
  BLOBS_LATER,
  checkFirst,
  FINISHED,
  keptText,
  keysToHand,
  leftOut,
  moodOf,
  packJson,
  signerText,
  undone,
  unpackCommand,
  type VerifyNeeds,
  verifyOptions,
  whatOf,
} from './pack-report.ts';

type SiteReport = EachReport['bundles'][number];

/** Of a pack that has made a bundle for each of several sites. */
export function eachReport(each: EachReport, needs: VerifyNeeds): Outcome {
  const { bundles, together } = each;
  return {
    report: (screen) => sections(each, needs, screen),
    json: {
      dryRun: bundles.some(({ dryRun }) => dryRun),
      bundles: bundles.map((one) => ({ site: one.site, ...packJson(one) })),
      together,
    },
    ...(bundles.some((one) => undone(one) !== undefined) && { status: PARTLY_DONE }),
  };
}

function sections(
  { bundles, together }: EachReport,
  needs: VerifyNeeds,
  screen: Screen,
): readonly Section[] {
  const first = bundles[0]!;
  const bytes = formatBytes(bundles.reduce((sum, { size }) => sum + size, 0));
  const count = counted(bundles.length, 'bundle');
  const missing = bundles.map(undone).find((one) => one !== undefined);
  const made = `${count}, one for each site: ${whatOf(first)}, ${bytes} together, signed`;
  const packed = bundles.every(({ kept }) => kept.finished)
    ? `${FINISHED} ${made}`
    : `Packed ${made}`;
  const verdict = first.dryRun
    ? `Dry run: ${whatOf(first)} would take ${bytes} in ${count}, one for each site. ` +
      'No bundle was written.'
    : missing === undefined
      ? packed
      : `NOT COMPLETE: ${missing}. ${packed}`;
  const once = leavesText(together.blobs);
  return [
    [
      { verdict, mood: bundles.every((one) => moodOf(one) === 'good') ? 'good' : 'warning' },
      ...(bundles.length === 1
        ? []
        : [
            {
              text:
                `Together they hold ${once} (${formatBytes(together.bytes)}): what several of them have ` +
                `${first.dryRun ? 'is' : 'was'} fetched once.`,
            },
          ]),
    ],
    ...(first.dryRun
      ? []
      : [
          [
            checkFirst(first),
            {
              commands: bundles.map((one) => {
                const path = one.volumes[0]?.path ?? one.path;
                return `bundle verify ${pathWord(path)}${verifyOptions(one, needs)}`;
              }),
            },
          ] satisfies Section,
        ]),
    first.dryRun
      ? []
      : [
          {
            text:
              'Tell each site the digest of its bundle and the signer out of band, not on the ' +
              'medium.',
          },
        ],
    ...bundles.map((one) => siteSection(one, needs, screen)),
    packerAlone(first.closure),
    first.dryRun ? [] : keysToHand(needs),
    holesText(first.closure, screen),
    leftOut(first, screen),
    first.isIncompleteAllowed ? [{ text: BLOBS_LATER }] : [],
    offersText(first.offers),
    [
      {
        facts: [
          ['folder', folderText(dirname(first.path))],
          ...(first.signer.id === undefined
            ? [['signer', signerText(first, screen)] as const]
            : ([
                ['signer', { hex: first.signer.id }],
                ['', first.signer.algorithm],
              ] as const)),
          ...partsFacts(first.closure, screen),
          ...signatureRows(first.signatures, screen, first.closure.parts.length),
        ],
      },
    ],
  ];
}

/** What a site is told of its bundle. */
function siteSection(report: SiteReport, needs: VerifyNeeds, screen: Screen): Section {
  const { site, volumes, bundleDigest, kept, increment } = report;
  const { blobs, bytes } = increment?.total ?? { blobs: 0, bytes: 0 };
  const isAssumed = increment?.bundles.some((one) => one.isAssumed) === true;
  return [
    { text: report.dryRun ? `For ${site}:` : `For ${site}, on its closed side:` },
    ...(report.dryRun ? [] : [{ commands: [unpackCommand(report, needs)] }]),
    {
      facts: [
        ...volumes.map(({ path, size }) => {
          return ['file', `${basename(path)} (${sizeText(size, screen)})`] as const;
        }),
        ['leaves out', `${leavesText(blobs)}, ${formatBytes(bytes)}`],
        [
          'NOT PROVEN',
          isAssumed ? 'some of this is only assumed to have arrived there' : undefined,
        ],
        ['bundle digest', { hex: hexOf(bundleDigest) }],
        ['of an earlier run', keptText(kept)],
      ],
    },
  ];
}
