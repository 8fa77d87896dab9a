import type { Changes, PackageDifference } from '../../../catalogs/diff.ts';
import type { DiffReport } from '../../../workflows/catalog/look.ts';
import { counted, few } from '../../../core/text.ts';
import type { Outcome } from '../../command.ts';
import type { Rows, Section } from '../layout.ts';
import { printableLine } from '../../units.ts';
import { catalogJson } from './facts.ts';

/** What a newer catalog has brought, operator by operator. */
export function diffReport({ before, after, difference }: DiffReport): Outcome {
  const { added, removed, changed, images } = difference;
  const isSame =
    added.length + removed.length + changed.length === 0 &&
    images.added.length + images.removed.length === 0;
  const list = (words: readonly string[], isVerbose: boolean): string =>
    (isVerbose ? words : few(words)).join(', ');
  return {
    report: ({ isVerbose }) => [
      [
        {
          verdict: isSame
            ? 'The two catalogs have the same operators'
            : `${counted(added.length, 'new operator')}, ${removed.length} gone, ` +
              `${changed.length} changed`,
          mood: 'good',
        },
      ],
      [
        {
          facts: [
            ['new', summaries(added)],
            ['gone', summaries(removed)],
            [
              'images',
              isSame ? undefined : `${images.added.length} new, ${images.removed.length} gone`,
            ],
          ],
        },
      ],
      ...changed.map((own) => packageSection(own, (words) => list(words, isVerbose))),
    ],
    json: { before: catalogJson(before), after: catalogJson(after), ...difference },
  };
}

function summaries(
  packages: readonly { readonly name: string; readonly bundles: number }[],
): string | undefined {
  if (packages.length === 0) return undefined;
  return packages.map(({ name, bundles }) => `${name} (${counted(bundles, 'version')})`).join(', ');
}

function packageSection(
  { name, defaultChannel, channels, bundles, heads }: PackageDifference,
  list: (words: readonly string[]) => string,
): Section {
  const rows = (label: string, { added, removed }: Changes): Rows => [
    [`  new ${label}`, added.length > 0 ? list(added) : undefined],
    [`  ${label} gone`, removed.length > 0 ? list(removed) : undefined],
  ];
  return [
    { text: printableLine(name) },
    {
      facts: [
        ['  default channel', defaultChannel && `${defaultChannel.was} to ${defaultChannel.is}`],
        ...rows('channels', channels),
        ...rows('bundles', bundles),
        ...heads.map(({ channel, was, is }): readonly [string, string] => [
          `  head of ${channel}`,
          `${was} to ${is}`,
        ]),
      ],
    },
  ];
}
