import { few, shellWord } from '../../core/text.ts';
import type { DeliveredPaths, PartResources } from '../../kinds/kind.ts';

const RULE = '='.repeat(72);
/** The first line of every such text. */
export const BEGINNING =
  'The pull secret of the clusters must be able to read both repositories, ' +
  'and must not be able to';

/** What the registry holds that is newer than what has arrived. */
export interface NewerNames {
  readonly kind: string;
  readonly names: readonly string[];
}

/**
 * The exact commands for what has arrived in a local registry, a section for each part.
 * @param newer comes first, as a warning: a cluster may have it already.
 */
export function nextSteps(
  parts: readonly PartResources[],
  paths: DeliveredPaths,
  newer: readonly NewerNames[] = [],
): string {
  const sections = parts.map((part) => part.section(paths));
  return [
    BEGINNING,
    'write to them. This command tells whether that is so:',
    '  bundle check-registry REGISTRY/NAMESPACE --cluster-authfile PULL_SECRET.json',
    '',
    ...newer.flatMap(warning),
    ...sections.flatMap((section) => [RULE, ...section]),
  ].join('\n');
}

function warning({ kind, names }: NewerNames): readonly string[] {
  return [
    `WARNING: the registry already holds a newer ${kind}: ${few(names.toReversed()).join(', ')}.`,
    'Do not use the commands below for a cluster that runs a newer version already:',
    'OpenShift does not support going back to an older one. "oc get clusterversion" tells which',
    'version a cluster runs.',
    '',
  ];
}

/** The commands that matter at once: what `unpack` prints in the end. */
export function firstSteps(
  parts: readonly PartResources[],
  paths: DeliveredPaths,
): readonly string[] {
  const mirrorSet = shellWord(paths.mirrorSet);
  return [
    ...parts.flatMap((part) => part.before(paths)),
    `oc diff -f ${mirrorSet}`,
    `oc apply -f ${mirrorSet}`,
    // Of several releases only one is wanted next: the text that is named below them says which.
    ...(parts.length === 1 ? parts.flatMap((part) => part.after(paths)) : []),
  ];
}
