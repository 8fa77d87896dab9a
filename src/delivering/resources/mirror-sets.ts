import { digestOf, hexOf } from '../../core/digest.ts';
import { compareText } from '../../core/text.ts';
import { yamlOf } from '../../kinds/cluster-object.ts';
import type { Target } from '../../kinds/destinations.ts';
import type { MirrorRow } from '../../kinds/mirror-row.ts';
import { EFFECTS, resourceFile, type ResourceFile } from '../../kinds/resource-file.ts';

/** A repository that clusters ask for, and where they shall ask instead. */
export interface MirroredRepository {
  readonly source: string;
  readonly mirrors: readonly string[];
}

/** Kubernetes names are DNS labels here: 63 characters, as in RFC 1123. */
const MAX_NAME_LENGTH = 63;
const MARK_LENGTH = 8;

/** @returns one entry for each source, sorted, with its mirrors in the order of the rows. */
export function mirroredRepositories(rows: readonly MirrorRow[]): readonly MirroredRepository[] {
  const mirrors = new Map<string, Set<string>>();
  for (const { source, mirror } of rows) {
    mirrors.set(source, (mirrors.get(source) ?? new Set()).add(mirror));
  }
  return [...mirrors]
    .map(([source, places]) => ({ source, mirrors: [...places] }))
    .toSorted((a, b) => compareText(a.source, b.source));
}

/**
 * The ImageDigestMirrorSet for a running cluster. It is named after the target and what it says: so
 * it never replaces one of the site's own, nor one for another path of the same registry, nor one
 * that has other sources. A cluster adds up the mirrors of all of them. One that is new adds mirrors
 * without a drain, which a change of the old one would not.
 */
export function imageDigestMirrorSet(
  { registry, namespace }: Target,
  repositories: readonly MirroredRepository[],
): ResourceFile {
  const place = namespace === undefined ? registry : `${registry}/${namespace}`;
  const mark = `-${hexOf(digestOf(JSON.stringify([place, repositories]))).slice(0, MARK_LENGTH)}`;
  const named = `idms-${place.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`
    .slice(0, MAX_NAME_LENGTH - mark.length)
    .replace(/-+$/, '');
  const name = `${named}${mark}`;
  const object = {
    apiVersion: 'config.openshift.io/v1',
    kind: 'ImageDigestMirrorSet',
    metadata: { name },
    spec: { imageDigestMirrors: repositories.map((repository) => ({ ...repository })) },
  };
  return resourceFile(`${name}.yaml`, object, EFFECTS.digestMirrors);
}

/**
 * The same for `install-config.yaml`, where a new cluster is told before there is anything to apply
 * to.
 */
export function imageDigestSources(repositories: readonly MirroredRepository[]): string {
  return yamlOf({ imageDigestSources: repositories });
}
