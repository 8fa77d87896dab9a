import { hexOf } from '../../../core/digest.ts';
import { counted } from '../../../core/text.ts';
import type { AskedBundle, AskReport } from '../../../workflows/receipts/ask.ts';
import { type Outcome, PARTLY_DONE } from '../../command.ts';
import type { Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';
import { receiptRows, receiptSteps, writtenJson } from './receipt-report.ts';

/** Of more than these only the number is shown. */
const SHOWN = 10;

export function askReport({ target, bundles, receipt }: AskReport): Outcome {
  const isWhole = bundles.every(({ lacking }) => lacking.length === 0);
  return {
    json: {
      target,
      bundles: bundles.map(({ name, digest, parts, of, lacking }) => ({
        ...{ name, digest: hexOf(digest), parts, of },
        lacking: lacking.map(({ what, flaw, subject, digest: blob }) => ({
          ...{ what, flaw, subject },
          digest: blob,
        })),
      })),
      receipt: writtenJson(receipt),
    },
    report: (screen) => [
      [
        isWhole
          ? { verdict: `All of it is at ${target}`, mood: 'good' }
          : { verdict: `${target} has only a part of it`, mood: 'warning' },
        { facts: receiptRows(receipt) },
      ],
      receiptSteps(receipt),
      ...bundles.map((bundle) => bundleSection(bundle, screen)),
    ],
    ...(!isWhole && { status: PARTLY_DONE }),
  };
}

function bundleSection({ name, digest, parts, of, lacking }: AskedBundle, screen: Screen): Section {
  const shown = lacking.slice(0, SHOWN).map(({ subject }) => subject);
  const more = lacking.length - shown.length;
  return [
    {
      facts: [
        ['bundle', name],
        ['bundle digest', shortened(hexOf(digest), screen)],
        ['whole', parts.length === 0 ? 'nothing' : parts.map(({ label }) => label).join(', ')],
        ['of', counted(of, 'part')],
        ['lacking', shown.length === 0 ? undefined : shown.join('\n')],
        ['', more > 0 ? `and ${more} more` : undefined],
      ],
    },
  ];
}
