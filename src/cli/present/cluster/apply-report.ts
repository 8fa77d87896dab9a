import type { FieldChange } from '../../../cluster/difference.ts';
import type { Json } from '../../../core/json.ts';
import { mostOf } from '../../../delivering/applying/node-work.ts';
import type {
  ApplyPlan,
  ApplyReport,
  PlannedChange,
} from '../../../delivering/applying/request.ts';
import type { NodeWork } from '../../../kinds/resource-file.ts';
import type { Block, Report, Rows, Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { counted, listed, withShortDigests } from '../shown.ts';
import { upgradeText } from './upgrade-text.ts';

/** More fields of one object than these are for --verbose. */
const SHOWN_FIELDS = 12;
/** Enough of a value to know it again: a signature has two thousand characters. */
const SHOWN_VALUE = 72;

/** What is shown before the user is asked. */
export function planText(plan: ApplyPlan): Report {
  return [
    [{ facts: planFacts(plan) }],
    ...plan.changes.map((change) => changeText(change, { limit: SHOWN_FIELDS, isVerbose: false })),
    [{ verdict: NODE_TEXTS[mostOf(plan.changes)], mood: 'warning' }],
  ];
}

/** The sections of a delivery's report that are about a cluster. */
export function clusterSections(report: ApplyReport, { isVerbose }: Screen): Report {
  const { applied, after, changes } = report;
  const limit = isVerbose ? Number.POSITIVE_INFINITY : SHOWN_FIELDS;
  const isShort = ({ change }: PlannedChange): boolean =>
    applied !== undefined && change === 'new' && !isVerbose;
  const done = applied?.filter(({ change }) => change !== 'same') ?? [];
  return [
    [outcome(report), { facts: planFacts(report) }],
    // What is new is told whole before, and for somebody who wants everything.
    ...(applied ?? changes).map((change) =>
      changeText(change, { limit: isShort(change) ? 0 : limit, isVerbose }),
    ),
    workText(applied === undefined ? changes : done, applied !== undefined),
    after === undefined ? [] : upgradeText(after),
  ];
}

/** The commands that take the cluster to each part that has arrived. */
export function clusterCommands({ parts }: ApplyPlan): readonly string[] {
  return parts.flatMap(({ commands }) => commands);
}

function outcome({ applied, changes, cluster }: ApplyReport): Block {
  const where = `the cluster at ${cluster.host}`;
  const different = (some: readonly PlannedChange[]): number =>
    some.filter(({ change }) => change !== 'same').length;
  if (applied === undefined) {
    const verdict = `Dry run: ${counted(different(changes), 'object')} would change in ${where}.`;
    return { verdict, mood: 'good' };
  }
  const count = different(applied);
  const verdict =
    count === 0
      ? `Nothing to apply to ${where}: it has everything already`
      : `Applied ${counted(count, 'object')} to ${where}`;
  return { verdict, mood: 'good' };
}

function planFacts({ cluster, parts, mirrored, left }: ApplyPlan): Rows {
  const { context, host, version, architectures, unread } = cluster;
  const nodes = architectures.length === 0 ? '' : ` for ${listed(architectures)}`;
  const channel = version?.channel === undefined ? 'no channel' : `channel ${version.channel}`;
  return [
    ['cluster', `${context}, at ${host}`],
    ['runs', version && `${version.version ?? version.desired.version}${nodes}, ${channel}`],
    ...parts.map(({ label, ...part }) => [label, standingText(part)] as const),
    ['mirrors', mirrored && mirroredText(mirrored)],
    ...unread.map((sentence) => ['not known', sentence] as const),
    ['not applied', left.length === 0 ? undefined : left.join(', ')],
  ];
}

function standingText({ standing, risk }: Omit<ApplyPlan['parts'][number], 'label'>): string {
  switch (standing) {
    case 'running':
      return 'is what the cluster runs';
    case 'updating':
      return 'is what the cluster is being updated to';
    case 'recommended':
      return 'is an update that the cluster recommends';
    case 'risky':
      return `is an update with a known issue: ${risk!.reason}: ${risk!.message}`;
    case 'not-offered':
      return 'is no update that the cluster offers: its channel or its update service lacks it';
    case 'older':
      return 'is older than what the cluster runs: it must not be taken back';
    case 'other-architecture':
      return 'is for nodes of another architecture';
  }
}

function mirroredText({ sources, pointing }: NonNullable<ApplyPlan['mirrored']>): string {
  const all = counted(sources, 'repository', 'repositories');
  if (pointing === sources) return `nodes ask this registry for ${all}`;
  return `nodes ask this registry for ${pointing === 0 ? 'none' : pointing} of ${all} yet`;
}

function changeText(
  { object, change, fields, file }: PlannedChange,
  { limit, isVerbose }: { readonly limit: number; readonly isVerbose: boolean },
): Section {
  const short = (text: string): string => (isVerbose ? text : withShortDigests(text));
  const what = { new: 'new', changed: 'changed', same: 'as it should be' }[change];
  const shown = fields.slice(0, limit).map((field) => ({ text: `  ${short(fieldText(field))}` }));
  const more = fields.length - shown.length;
  return [
    { text: `${short(object)}: ${what} (${file})` },
    ...shown,
    ...(more > 0 && limit > 0
      ? [{ text: `  and ${counted(more, 'more field')}: --verbose lists all` }]
      : []),
  ];
}

function fieldText({ field, before, after }: FieldChange): string {
  if (before === undefined) return `+ ${field}: ${valueText(after)}`;
  if (after === undefined) return `- ${field}: ${valueText(before)}`;
  return `~ ${field}: ${valueText(before)} > ${valueText(after)}`;
}

function valueText(value: Json | undefined): string {
  const text = typeof value === 'string' && value !== '' ? value : JSON.stringify(value ?? null);
  const rest = text.length - SHOWN_VALUE;
  return rest > 0 ? `${text.slice(0, SHOWN_VALUE)}… (${text.length} characters)` : text;
}

const NODE_TEXTS: Readonly<Record<NodeWork, string>> = {
  nothing: 'Nodes do nothing about this.',
  pull: 'Nodes fetch images.',
  reload: 'Nodes get a new list of mirrors. None is drained or restarted.',
  drain:
    'NODES ARE DRAINED, one after the other: their pods move to other nodes, and some restart.',
};

function workText(changes: readonly PlannedChange[], isDone: boolean): Section {
  const work = mostOf(changes);
  if (work === 'nothing') return [];
  const watch = isDone ? ' Watch them with: oc get mcp' : '';
  return [{ verdict: `${NODE_TEXTS[work]}${watch}`, mood: 'warning' }];
}
