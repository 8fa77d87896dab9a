import type { CatalogChannel, ChannelEntry } from '../../../catalogs/catalog.ts';
import type { PackageContent } from '../../../catalogs/packages.ts';
import { BundleError } from '../../../core/errors.ts';
import type { ExcerptEdge } from '../../../updates/excerpt.ts';
import type { PackageReport } from '../../../workflows/catalog/look.ts';
import { counted, few, oneLine } from '../../../core/text.ts';
import type { Outcome } from '../../command.ts';
import { dotOf } from '../drawing/dot.ts';
import type { PathDrawing } from '../drawing/labels.ts';
import { mermaidOf } from '../drawing/mermaid.ts';
import { printableLine } from '../../units.ts';
import type { Section } from '../layout.ts';
import { catalogJson, requirementSection, versionIn } from './facts.ts';

/** More entries than these cannot be told apart in a drawing. */
const MOST_DRAWN = 100;
/** Several times as long as those of real catalogs. */
const LONGEST_RANGE = 120;

interface Shown {
  /** The channel that was asked for, if one was. */
  readonly channel: string | undefined;
  readonly format: string;
}

/** The channels of an operator, each as a tree of its updates. */
export async function showReport(report: PackageReport, shown: Shown): Promise<Outcome> {
  const { content, dependencies } = report;
  const channels = [...content.channels.values()].filter(
    ({ name }) => shown.channel === undefined || name === shown.channel,
  );
  const document = await drawn(content, shown);
  return {
    report: ({ isVerbose }) => [
      [
        {
          verdict:
            `${printableLine(content.name)}: ${counted(channels.length, 'channel')}, ` +
            counted(content.bundles.size, 'version'),
          mood: 'good',
        },
      ],
      ...channels.map((channel) => channelSection(content, channel)),
      requirementSection('Required by the newest versions:', dependencies, isVerbose),
    ],
    json: {
      ...catalogJson(report),
      package: content.name,
      defaultChannel: content.package.defaultChannel,
      channels: channels.map((channel) => channelJson(content, channel)),
      requires: dependencies,
    },
    ...(document !== undefined && { document }),
  };
}

function channelJson(content: PackageContent, { name, entries }: CatalogChannel): object {
  const { head } = content.walk(name);
  return {
    name,
    ...(head !== undefined && { head }),
    entries: entries.map((entry) => ({
      bundle: entry.name,
      version: versionIn(content, entry.name),
      ...(entry.replaces !== '' && { replaces: entry.replaces }),
      ...(entry.skips.length > 0 && { skips: entry.skips }),
      ...(entry.skipRange !== '' && { skipRange: entry.skipRange }),
    })),
  };
}

function channelSection(content: PackageContent, channel: CatalogChannel): Section {
  const isDefault = channel.name === content.package.defaultChannel;
  const rows = treeOf(channel).map(({ entry, depth }) => [
    `${'  '.repeat(depth)}${versionIn(content, entry.name)}`,
    updatesText(content, entry),
    entry.name,
  ]);
  return [
    { text: printableLine(`${channel.name}${isDefault ? ' (default)' : ''}`) },
    { table: { heads: ['  version', 'updates from', 'bundle'], rows: rows.map(indented) } },
  ];
}

const indented = ([first = '', ...rest]: readonly string[]): readonly string[] => [
  `  ${first}`,
  ...rest,
];

function updatesText(content: PackageContent, entry: ChannelEntry): string {
  const { replaces, skips, skipRange } = entry;
  const from = [replaces, ...skips].filter((name) => name !== '');
  const versions = [...new Set(from.map((name) => versionIn(content, name)))];
  return [...few(versions), ...(skipRange === '' ? [] : [oneLine(skipRange, LONGEST_RANGE)])].join(
    ', ',
  );
}

/** The chain of replacements from the head down; what an entry skips stands under it. */
function treeOf(
  channel: CatalogChannel,
): readonly { readonly entry: ChannelEntry; readonly depth: number }[] {
  const entries = new Map(channel.entries.map((entry) => [entry.name, entry]));
  const replaced = new Set(channel.entries.map(({ replaces }) => replaces));
  const skipped = new Set(channel.entries.flatMap(({ skips }) => skips));
  const rows: { entry: ChannelEntry; depth: number }[] = [];
  const seen = new Set<string>();
  const add = (entry: ChannelEntry | undefined, depth: number): boolean => {
    if (entry === undefined || seen.has(entry.name)) return false;
    seen.add(entry.name);
    rows.push({ entry, depth });
    return true;
  };
  const heads = channel.entries.filter(({ name }) => !replaced.has(name) && !skipped.has(name));
  for (const head of heads)
    for (let entry: ChannelEntry | undefined = head; add(entry, 0);) {
      for (const skip of entry!.skips) if (skip !== entry!.replaces) add(entries.get(skip), 1);
      entry = entries.get(entry!.replaces);
    }
  for (const entry of channel.entries) add(entry, 1);
  return rows;
}

/** The library that lays a drawing out is loaded for that alone. */
async function drawn(content: PackageContent, shown: Shown): Promise<string | undefined> {
  const { format } = shown;
  if (format === 'text' || format === 'json') return undefined;
  const drawing = drawingOf(content, shown.channel ?? content.package.defaultChannel);
  if (format === 'dot') return dotOf(drawing);
  if (format === 'mermaid') return mermaidOf(drawing);
  const { svgOf } = await import('../drawing/svg.ts');
  return svgOf(drawing);
}

/** A channel as a drawing: thick is the way of somebody who always takes the next version. */
function drawingOf(content: PackageContent, channel: string): PathDrawing {
  const entries = content.channels.get(channel)?.entries ?? [];
  if (entries.length === 0 || entries.length > MOST_DRAWN)
    throw new BundleError(
      'USAGE',
      `${counted(entries.length, 'entry', 'entries')} cannot be drawn`,
      {
        expected: `a channel of 1 to ${MOST_DRAWN} entries`,
        hint: 'Name another one with --channel, or use --output json.',
      },
    );
  const names = new Set(entries.map(({ name }) => name));
  const versions = entries.map(({ name }) => versionIn(content, name));
  // Versions that are there twice are told apart by the names of their bundles.
  const label = (name: string): string => {
    const version = versionIn(content, name);
    return versions.filter((other) => other === version).length > 1 ? name : version;
  };
  const chain = content.walk(channel).chain;
  const edges = entries.flatMap(({ name, replaces, skips }): readonly ExcerptEdge[] =>
    [...new Set([replaces, ...skips])]
      .filter((from) => names.has(from) && from !== name)
      .map((from) => ({
        from: label(from),
        to: label(name),
        risks: [],
        isOnPath: from === replaces && chain.includes(from) && chain.includes(name),
      })),
  );
  return {
    title: `${content.name}, channel ${channel}`,
    note: 'thick: from version to version; thin: versions that may be skipped',
    versions: chain.map(label),
    controlPlaneOnly: [],
    excerpt: {
      versions: content
        .newestFirst(entries)
        .toReversed()
        .map(({ name }) => label(name)),
      edges,
      left: 0,
    },
  };
}
