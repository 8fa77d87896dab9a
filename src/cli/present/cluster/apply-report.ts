import { counted } from '../../../core/text.ts';
import type { FieldChange } from '../../../cluster/difference.ts';
import type { Json } from '../../../core/json.ts';
import { mostOf } from '../../../delivering/applying/node-work.ts';
import { withOcOptions } from '../../../delivering/applying/oc-options.ts';
import type {
  ApplyPlan,
  ApplyReport,
  PlannedChange,
} from '../../../delivering/applying/request.ts';
import type { NodeWork } from '../../../kinds/resource-file.ts';
import type { Block, Report, Rows, Section } from '../layout.ts';
import type { Screen } from '../screen.ts';
import { listed, withShortDigests } from '../shown.ts';
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
    [outcome(report), ...unsignedText(report), { facts: planFacts(report) }],
    // What is new is told whole before, and for somebody who wants everything.
    ...(applied ?? changes).map((change) =>
      changeText(change, { limit: isShort(change) ? 0 : limit, isVerbose }),
    ),
    applied === undefined ? workText(changes) : workText(done, report.ocOptions),
    after === undefined ? [] : upgradeText(after),
  ];
}

/** The commands that take the cluster to each part that has arrived. */
export function clusterCommands({ parts }: ApplyPlan): readonly string[] {
  return parts.flatMap(({ commands }) => commands);
}

function outcome(report: ApplyReport): Block {
  const { applied, changes, cluster } = report;
  const where = `the cluster at ${cluster.host}`;
  const isEmpty = (applied ?? changes).length === 0;
  if (isEmpty && unsignedIn(report).length > 0) {
    const verdict =
      `No release signature: there is nothing to apply to ${where}, ` +
      'and the cluster will refuse the release.';
    return { verdict, mood: 'warning' };
  }
  if (isEmpty) return { verdict: `There is nothing to apply to ${where}.`, mood: 'good' };
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

/** The releases that a cluster refuses, beside those that it gets signatures of. */
function unsignedText(report: ApplyReport): Section {
  if ((report.applied ?? report.changes).length === 0) return [];
  return unsignedIn(report).map(({ label }) => ({
    verdict: `WARNING: ${label} has no release signature: the cluster will refuse it.`,
    mood: 'warning',
  }));
}

/** What a cluster runs it has accepted already. */
function unsignedIn({ parts }: ApplyPlan): ApplyPlan['parts'] {
  return parts.filter(
    ({ isUnsigned, standing }) =>
      isUnsigned === true && standing !== 'running' && standing !== 'updating',
  );
}

function planFacts({ cluster, parts, mirrored, left }: ApplyPlan): Rows {
  const { context, host, version, architectures, unread } = cluster;
  const runs = version?.version ?? version?.desired.version ?? '';
  const nodes = architectures.length === 0 ? '' : ` for ${listed(architectures)}`;
  const channel = version?.channel === undefined ? 'no channel' : `channel ${version.channel}`;
  return [
    ['cluster', `${context}, at ${host}`],
    [
      'runs',
      version && `${runs === '' ? 'a version that is not known' : runs}${nodes}, ${channel}`,
    ],
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
    case 'not-known':
      return 'not known: which version the cluster runs cannot be told';
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

/** @param options of `oc` for the cluster, where the work is under way. */
function workText(changes: readonly PlannedChange[], options?: readonly string[]): Section {
  const work = mostOf(changes);
  if (work === 'nothing') return [];
  const watch =
    options === undefined ? '' : ` Watch them with: ${withOcOptions('oc get mcp', options)}`;
  return [{ verdict: `${NODE_TEXTS[work]}${watch}`, mood: 'warning' }];
}
