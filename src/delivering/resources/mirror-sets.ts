import { digestOf, hexOf } from '../../core/digest.ts';
import { compareText } from '../../core/text.ts';
import type { ClusterObject } from '../../kinds/cluster-object.ts';
import type { Target } from '../../kinds/destinations.ts';
import type { KnownBy, MirrorRow } from '../../kinds/mirror-row.ts';
import { EFFECTS, resourceFile, type ResourceFile } from '../../kinds/resource-file.ts';
import { MIRROR_SETS, type MirrorSetKind } from '../../mirrors/mirror-sets.ts';
import { marked } from '../../kinds/object-name.ts';
import type { SourcePolicy } from './request.ts';

/** A repository that clusters ask for, and where they shall ask instead. */
export interface MirroredRepository {
  readonly source: string;
  readonly mirrors: readonly string[];
}

/**
 * The repositories of some rows.
 * @param knownBy of the rows that count.
 * @returns one entry for each source, sorted, with its mirrors in the order of the rows.
 */
export function mirroredRepositories(
  rows: readonly Pick<MirrorRow, 'source' | 'mirror' | 'knownBy'>[],
  knownBy: readonly KnownBy[],
): readonly MirroredRepository[] {
  const mirrors = new Map<string, Set<string>>();
  for (const { source, mirror } of rows.filter((row) => knownBy.includes(row.knownBy))) {
    mirrors.set(source, (mirrors.get(source) ?? new Set()).add(mirror));
  }
  return [...mirrors]
    .map(([source, places]) => ({ source, mirrors: [...places] }))
    .toSorted((a, b) => compareText(a.source, b.source));
}

/** The sets for a target, each with the name of its file. */
export interface MirrorSets {
  readonly digests: ResourceFile;
  /** For images that clusters ask for by tag alone: none if there is no such image. */
  readonly tags: ResourceFile | undefined;
  /** The same as `digests`, for clusters that have no such objects yet. */
  readonly policy: ResourceFile;
}

/**
 * The mirror sets for running clusters, one of a sort for each target namespace. They are named
 * after the target and what they say: so they never replace one of the site's own, nor one for
 * another namespace, nor one that has other sources, whose mirrors would be gone. A cluster adds up
 * the mirrors of all of them. One that is new adds mirrors without a drain, which a change of an old
 * one would not. The policy for the source is no part of the name: a cluster takes only one for each
 * source.
 */
export function mirrorSets(
  rows: readonly MirrorRow[],
  target: Target,
  sourcePolicy: SourcePolicy | undefined,
): MirrorSets {
  const digests = mirroredRepositories(rows, ['digest', 'both']);
  const tags = mirroredRepositories(rows, ['tag']);
  const idms = nameFor('idms', target, digests);
  const itms = nameFor('itms', target, tags);
  const icsp = nameFor('icsp', target, digests);
  return {
    digests: resourceFile(
      `${idms}.yaml`,
      [mirrorSet('ImageDigestMirrorSet', idms, digests, sourcePolicy)],
      EFFECTS.digestMirrors,
    ),
    tags:
      tags.length === 0
        ? undefined
        : resourceFile(
            `${itms}.yaml`,
            [mirrorSet('ImageTagMirrorSet', itms, tags, sourcePolicy)],
            EFFECTS.tagMirrors,
          ),
    policy: resourceFile(
      `for-4.12/${icsp}.yaml`,
      // It knows no policy for the source.
      [mirrorSet('ImageContentSourcePolicy', icsp, digests, undefined)],
      EFFECTS.digestMirrors,
      { audience: 'before-4.13' },
    ),
  };
}

/** A prefix, host, port and namespace, and a mark of both: no two of them share a name. */
function nameFor(
  prefix: string,
  { registry, namespace }: Target,
  repositories: readonly MirroredRepository[],
): string {
  const place = namespace === undefined ? registry : `${registry}/${namespace}`;
  const mark = hexOf(digestOf(JSON.stringify([place, repositories])));
  return marked(`${prefix}-${place}`, mark);
}

/** An object that tells clusters of mirrors. */
export function mirrorSet(
  kind: MirrorSetKind,
  name: string,
  repositories: readonly MirroredRepository[],
  sourcePolicy: SourcePolicy | undefined,
): ClusterObject {
  return {
    apiVersion:
      kind === 'ImageContentSourcePolicy'
        ? 'operator.openshift.io/v1alpha1'
        : 'config.openshift.io/v1',
    kind,
    metadata: { name },
    spec: { [MIRROR_SETS[kind].list]: withPolicy(repositories, sourcePolicy) },
  };
}

function withPolicy(
  repositories: readonly MirroredRepository[],
  sourcePolicy: SourcePolicy | undefined,
): { source: string; mirrors: readonly string[]; mirrorSourcePolicy?: SourcePolicy }[] {
  return repositories.map(({ source, mirrors }) => ({
    ...{ source, mirrors },
    ...(sourcePolicy !== undefined && { mirrorSourcePolicy: sourcePolicy }),
  }));
}
