import { shellWord } from '../core/text.ts';
import type { DeliveredPaths, PartResources } from '../kinds/kind.ts';

const RULE = '='.repeat(72);
/** The first line of every such text. */
export const BEGINNING =
  'The pull secret of the clusters must be able to read both repositories, ' +
  'and must not be able to';

/** The exact commands for what has arrived in a local registry, a section for each part. */
export function nextSteps(parts: readonly PartResources[], paths: DeliveredPaths): string {
  const sections = parts.map((part) => part.section(paths));
  return [
    BEGINNING,
    'write to them. This command tells whether that is so:',
    '  bundle check-registry REGISTRY/NAMESPACE --cluster-authfile PULL_SECRET.json',
    '',
    ...sections.flatMap((section) => [RULE, ...section]),
  ].join('\n');
}

/** The lines that matter at once: what `unpack` prints in the end. @param file the whole text. */
export function firstSteps(
  parts: readonly PartResources[],
  paths: DeliveredPaths,
  file: string,
): readonly string[] {
  const mirrorSet = shellWord(paths.mirrorSet);
  return [
    `Next (all of it is in ${file}):`,
    ...[
      ...parts.flatMap((part) => part.before(paths)),
      `oc diff -f ${mirrorSet}`,
      `oc apply -f ${mirrorSet}`,
      ...parts.flatMap((part) => part.after(paths)),
    ].map((command) => `  ${command}`),
  ];
}
