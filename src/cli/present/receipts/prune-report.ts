import { hexOf } from '../../../core/digest.ts';
import { counted } from '../../../core/text.ts';
import type { RemovedFrom } from '../../../pruning/remove.ts';
import type { PruneReport } from '../../../workflows/prune/prune.ts';
import { type Outcome, PARTLY_DONE } from '../../command.ts';
import { formatBytes } from '../../units.ts';
import type { Report, Rows, Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { shortened } from '../shown.ts';
import { receiptRows, writtenJson } from './receipt-report.ts';

/** Of more than these only the number is shown, unless every fact is wanted. */
const SHOWN = 10;

export function pruneReport(report: PruneReport): Outcome {
  const stillGiven = (report.removed ?? []).flatMap((one) => one.stillGiven);
  return {
    json: pruneJson(report),
    report: (screen) => [
      [verdictOf(report, stillGiven.length)],
      partsSection(report),
      sumsSection(report),
      ...sharedSections(report, screen),
      ...afterwards(report),
    ],
    ...(stillGiven.length > 0 && { status: PARTLY_DONE }),
  };
}

/** Whether nothing goes, or nothing has gone, beside tags of images that stay. */
function isIdle({ repositories, removed }: PruneReport): boolean {
  if (removed === undefined) return repositories.every(({ going }) => going.length === 0);
  return removed.every(
    ({ manifests, tags, stillGiven }) => manifests.length + tags.length + stillGiven.length === 0,
  );
}

/** Tags of images that stay, which only a registry loses that can remove a tag alone. */
function looseTags({ repositories, removed }: PruneReport): number {
  return removed === undefined ? repositories.flatMap((one) => one.looseTags).length : 0;
}

function verdictOf(report: PruneReport, stillGiven: number): Section[number] {
  const { target, removed } = report;
  if (isIdle(report)) {
    const loose = looseTags(report);
    const but = loose === 0 ? '' : `, except ${counted(loose, 'tag')} of images that stay`;
    return { verdict: `Nothing to remove from ${target}${but}`, mood: 'good' };
  }
  if (removed === undefined)
    return { verdict: `Nothing was removed: this would go from ${target}`, mood: 'good' };
  if (stillGiven > 0) {
    const what = counted(stillGiven, 'manifest');
    return { verdict: `${target} still gives ${what} that it has removed`, mood: 'warning' };
  }
  return { verdict: `Removed from ${target}`, mood: 'good' };
}

function partsSection({ parts, repositories }: PruneReport): Section {
  const going = repositories.flatMap((one) => one.going);
  const shared = repositories.flatMap((one) => one.shared);
  const number = (list: readonly { readonly parts: readonly string[] }[], key: string): string =>
    String(list.filter((one) => one.parts.includes(key)).length);
  const rows = parts.map(({ key, label, stays }) =>
    stays ? [label, 'stays', '', ''] : [label, 'goes', number(going, key), number(shared, key)],
  );
  // The last two are about what goes.
  const columns = parts.every(({ stays }) => stays) ? 2 : 4;
  const narrowed = (row: readonly string[]): readonly string[] => row.slice(0, columns);
  const heads = narrowed(['part', '', 'manifests', 'shared']);
  return [{ table: { heads, rows: rows.map(narrowed), cut: 0 } }];
}

function sumsSection(report: PruneReport): Section {
  const { repositories, freed, removed, receipt, lockedBy } = report;
  const going = repositories.flatMap((one) => one.going);
  const tags = going.flatMap((one) => one.tags).length;
  const loose = looseTags(report);
  const left = (removed ?? []).flatMap(({ tagsLeft }) => tagsLeft).length;
  const isDone = removed !== undefined;
  const sums: Rows = [
    [
      isDone ? 'removed' : 'would go',
      `${counted(going.length, 'manifest')}, ${counted(tags, 'tag')}`,
    ],
    ['freed', `up to ${formatBytes(freed.bytes)} by garbage collection`],
    ['', loose === 0 ? undefined : `${counted(loose, 'more tag')} of images that stay`],
  ];
  return [
    {
      facts: [
        ...(isIdle(report) ? [] : sums),
        ['tags left', left === 0 ? undefined : `${left}: the registry removes no tag alone`],
        ...receiptRows(receipt),
        [
          'in use',
          lockedBy && `${lockedBy.who} removes something since ${lockedBy.time}`,
          'warning',
        ],
      ],
    },
  ];
}

function sharedSections({ repositories }: PruneReport, screen: Screen): Report {
  return repositories.flatMap(({ place, shared }): Report => {
    if (shared.length === 0) return [];
    const shown = screen.isVerbose ? shared : shared.slice(0, SHOWN);
    const more = shared.length - shown.length;
    return [
      [
        { text: `${counted(shared.length, 'manifest')} of ${place.name} that stay, and why:` },
        {
          table: {
            rows: shown.map(({ digest, why }) => [shortened(hexOf(digest), screen), why]),
            wraps: true,
          },
        },
        ...(more > 0 ? [{ text: `and ${more} more (--verbose)` }] : []),
      ],
    ];
  });
}

const TAGS_ALONE =
  'To remove these tags, add --yes. A registry that cannot remove a tag alone keeps them.';

function afterwards(report: PruneReport): Report {
  const { removed, outdated, freed } = report;
  if (removed === undefined) {
    if (!isIdle(report)) return [[{ text: 'To remove it, add --yes.' }]];
    return looseTags(report) === 0 ? [] : [[{ text: TAGS_ALONE }]];
  }
  const stale: Report =
    outdated.length === 0
      ? []
      : [
          [
            {
              text:
                `Receipts of ${outdated.join(', ')} still name what was removed. Write a new one ` +
                'with bundle receipt, or the next bundle may lack what is not there any more.',
            },
          ],
        ];
  if (freed.blobs === 0) return stale;
  return [
    ...stale,
    [
      {
        text:
          'The registry frees the space when it collects garbage. Quay and Harbor do that by ' +
          'themselves, or as they are scheduled. For distribution, let nobody push, and run beside it:',
      },
      { commands: ['registry garbage-collect /etc/docker/registry/config.yml'] },
      { text: 'Then restart it, so that it forgets what it has cached.' },
    ],
  ];
}

function pruneJson(report: PruneReport): object {
  const { target, parts, repositories, freed, removed, receipt, outdated, lockedBy } = report;
  return {
    target,
    parts: parts.map(({ kind, label, stays, rows }) => ({
      ...{ kind, label, stays },
      bundles: [...new Set(rows.map(({ bundle }) => hexOf(bundle)))],
    })),
    repositories: repositories.map(({ repository, going, looseTags, shared }) => ({
      repository,
      going: going.map(({ digest, size, tags }) => ({ digest, size, tags })),
      looseTags: looseTags.map(({ tag, digest }) => ({ tag, digest })),
      shared: shared.map(({ digest, images, why }) => ({ digest, images, why })),
    })),
    freed,
    removed: removed?.map(removedJson) ?? null,
    lockedBy: lockedBy ?? null,
    receipt: writtenJson(receipt),
    outdated,
  };
}

function removedJson({ repository, manifests, tags, stillGiven, tagsLeft }: RemovedFrom): object {
  return { repository, manifests, tags, stillGiven, tagsLeft };
}
