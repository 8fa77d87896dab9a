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
  const lacks = bundles.filter(({ lacking }) => lacking.length > 0);
  const isWhole = lacks.length === 0;
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
          ? { verdict: `${target} holds all of ${someOf(bundles, bundles)}`, mood: 'good' }
          : {
              verdict: `${someOf(lacks, bundles)} ${lacks.length === 1 ? 'is' : 'are'} not whole at ${target}`,
              mood: 'warning',
            },
        { facts: receiptRows(receipt) },
      ],
      receiptSteps(receipt),
      ...bundles.map((bundle) => bundleSection(bundle, screen)),
    ],
    ...(!isWhole && { status: PARTLY_DONE }),
  };
}

/** Some of the bundles that were asked for; one alone is called by its name. */
function someOf(some: readonly AskedBundle[], all: readonly AskedBundle[]): string {
  if (all.length === 1) return all[0]!.name;
  const total = counted(all.length, 'bundle');
  return some.length === all.length ? total : `${some.length} of ${total}`;
}

function bundleSection({ name, digest, parts, of, lacking }: AskedBundle, screen: Screen): Section {
  const blobsOf = new Map<string, number>();
  for (const { name: image } of lacking.flatMap(({ images }) => images))
    blobsOf.set(image, (blobsOf.get(image) ?? 0) + 1);
  const all = [...blobsOf].map(
    ([image, count]) => `${shortened(image, screen)}: ${counted(count, 'blob')}`,
  );
  const shown = all.slice(0, SHOWN);
  const more = all.length - shown.length;
  return [
    {
      facts: [
        ['bundle', name],
        ['bundle digest', shortened(hexOf(digest), screen)],
        ['whole', `${parts.length} of ${counted(of, 'part')}`],
        ...parts.map(({ label }): [string, string] => ['', label]),
        ...shown.map((one, at): [string, string] => [at === 0 ? 'lacking' : '', one]),
        ['', more > 0 ? `and ${counted(more, 'more image', 'more images')}` : undefined],
      ],
    },
  ];
}
