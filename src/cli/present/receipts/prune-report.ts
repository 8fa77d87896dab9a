import { hexOf } from '../../../core/digest.ts';
import { counted, formatBytes } from '../../../core/text.ts';
import type { RemovedFrom } from '../../../pruning/remove.ts';
import type { PruneReport } from '../../../workflows/prune/prune.ts';
import { type Outcome, PARTLY_DONE } from '../../command.ts';
import type { Report, Rows, Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { listed, partsText, shortened } from '../shown.ts';
import { receiptRows, receiptSteps, writtenJson } from './receipt-report.ts';

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
      unaccountedSection(report),
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
    return {
      verdict: `Dry run: this would remove ${goingText(report)} from ${target}. Nothing was removed.`,
      mood: 'good',
    };
  if (stillGiven > 0) {
    const what = counted(stillGiven, 'manifest');
    return {
      verdict: `NOT ALL REMOVED: ${target} still gives ${what} that it says it has removed`,
      mood: 'warning',
    };
  }
  return { verdict: `Removed ${goingText(report)} from ${target}`, mood: 'good' };
}

/** What goes: parts, or what is left of such that have gone before. */
function goingText({ parts, repositories }: PruneReport): string {
  const keys = new Set(repositories.flatMap(({ going }) => going.flatMap((one) => one.parts)));
  const labels = parts
    .filter(({ key, stays }) => !stays && keys.has(key))
    .map(({ label }) => label);
  return labels.length === 0 ? 'tags of images that stay' : partsText(labels);
}

function othersNeed(kept: number): string {
  return `nothing to remove: ${counted(kept, 'manifest')} ${kept === 1 ? 'stays' : 'stay'}`;
}

function manifestsText(gone: number, shared: number): string {
  const kept = `${shared} ${shared === 1 ? 'stays' : 'stay'}`;
  return shared === 0 ? counted(gone, 'manifest') : `${counted(gone, 'manifest')}, ${kept}`;
}

/** Each part, with what becomes of it; of one that stays why, of one that goes how much of it. */
function partsSection({ parts, repositories, removed }: PruneReport): Section {
  const going = repositories.flatMap((one) => one.going);
  const shared = repositories.flatMap((one) => one.shared);
  const number = (list: readonly { readonly parts: readonly string[] }[], key: string): number =>
    list.filter((one) => one.parts.includes(key)).length;
  const goes = removed === undefined ? 'goes' : 'removed';
  const rows = parts.map(({ key, label, stays, why }) => {
    if (stays) return [label, why === undefined ? 'stays' : `stays: ${why}`];
    const [gone, kept] = [number(going, key), number(shared, key)];
    if (gone + kept === 0) return [label, 'is not there'];
    return [label, gone === 0 ? othersNeed(kept) : `${goes}: ${manifestsText(gone, kept)}`];
  });
  return [{ table: { heads: ['part', 'what becomes of it'], rows, cut: 0 } }];
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
    ['frees', `up to ${formatBytes(freed.bytes)}, when the registry collects garbage`],
    ['tags left', loose === 0 ? undefined : `${loose}, if this registry cannot remove a tag alone`],
  ];
  return [
    {
      facts: [
        ...(isIdle(report) ? [] : sums),
        [
          'tags left',
          left === 0
            ? undefined
            : `${left}, on images that stay: this registry removes no tag without its image`,
        ],
        ...receiptRows(receipt),
        [
          'in use',
          lockedBy && `${lockedBy.who} is removing parts since ${lockedBy.time}: wait for the end`,
          'warning',
        ],
      ],
    },
  ];
}

/** What stays for a tag that nothing accounts for is told once, by {@link unaccountedSection}. */
function sharedSections({ repositories, removed }: PruneReport, screen: Screen): Report {
  return repositories.flatMap(({ place, shared: all }): Report => {
    const shared = screen.isVerbose ? all : all.filter(({ tag }) => tag === undefined);
    if (shared.length === 0) return [];
    const shown = screen.isVerbose ? shared : shared.slice(0, SHOWN);
    const more = shared.length - shown.length;
    const [these, are] =
      shared.length === 1
        ? ['This manifest', 'is']
        : [`These ${counted(shared.length, 'manifest')}`, 'are'];
    return [
      [
        {
          text:
            removed === undefined
              ? `${these} in ${place.name} would be kept, although the part would be removed:`
              : `${these} in ${place.name} ${are} kept, although the part is removed:`,
        },
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

/** Who has set a tag that is in no receipt and no bundle here, this program cannot know. */
function unaccountedSection({ repositories }: PruneReport): Section {
  const tagged = repositories.flatMap(({ shared }) =>
    shared.filter(({ tag }) => tag !== undefined),
  );
  const [first] = tagged;
  if (first === undefined) return [];
  const [stay, them] = tagged.length === 1 ? ['stays', 'it'] : ['stay', 'them'];
  return [
    {
      text:
        `${counted(tagged.length, 'manifest')} ${stay} because tags such as ${first.tag!} name ` +
        `${them}. No receipt and no bundle given here accounts for these tags. If they are of a ` +
        'bundle that was unpacked without a receipt, name its file: bundle prune BUNDLE …',
    },
  ];
}

const TAGS_ALONE =
  'To remove these tags, add --yes. A registry that cannot remove a tag alone keeps them.';

function afterwards(report: PruneReport): Report {
  const { removed, outdated, freed, receipt } = report;
  if (removed === undefined) {
    if (!isIdle(report)) return [[{ text: 'To remove it, run the same command with --yes.' }]];
    return looseTags(report) === 0 ? [] : [[{ text: TAGS_ALONE }]];
  }
  return [
    removed.some(({ stillGiven }) => stillGiven.length > 0) ? [{ text: STILL_GIVEN }] : [],
    outdated.length === 0
      ? []
      : [
          {
            text:
              `Receipts of ${listed(outdated)} still name what was removed, so the next bundle may ` +
              'leave out what is not there any more. To write a new one, run the same command ' +
              `again with --receipt DIR and --site ${outdated[0]!}.`,
          },
        ],
    receiptSteps(receipt),
    freed.blobs === 0 ? [] : collection(report),
  ];
}

const STILL_GIVEN =
  'Run the same command again. If the registry gives them even then, show this to those who run ' +
  'it: a cache or a replica may answer in its place.';

/** How a registry frees space. */
const COLLECTIONS: Readonly<Record<string, string>> = {
  Quay: 'nothing: it collects by itself, after the time in which tags can be brought back',
  Harbor: 'nothing if a collection is scheduled; else start it: Administration, Clean Up',
  Nexus: 'the tasks "Docker - Delete unused manifests and images" and "Admin - Compact blob store"',
};
const DISTRIBUTION =
  'see that nobody pushes, run the command below on its host, and restart it. CONFIG is its ' +
  'configuration file, in its container /etc/docker/registry/config.yml, or from version 3 on ' +
  '/etc/distribution/config.yml';

/** What frees the space at this registry; at every one that it may be, where that is not known. */
function collection({ product }: PruneReport): Section {
  const text = 'The registry frees the space when it collects garbage, not before. What to do:';
  const known = product === undefined ? undefined : COLLECTIONS[product];
  if (product !== undefined && known !== undefined)
    return [{ text }, { facts: [[product, known]] }];
  return [
    { text },
    { facts: [...Object.entries(COLLECTIONS), ['distribution', DISTRIBUTION]] },
    { commands: ['registry garbage-collect CONFIG'] },
  ];
}

function pruneJson(report: PruneReport): object {
  const { target, product, parts, repositories, freed, removed } = report;
  const { receipt, outdated, lockedBy } = report;
  return {
    ...{ target, product: product ?? null },
    parts: parts.map(({ kind, label, stays, why, rows }) => ({
      ...{ kind, label, stays, why: why ?? null },
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
