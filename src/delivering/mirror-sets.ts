import { stringify } from 'yaml';

import { digestOf, hexOf } from '../core/digest.ts';
import { formatRepository, parseReference } from '../core/reference.ts';
import type { Destinations } from '../kinds/destinations.ts';
import type { ResourceFile } from '../kinds/kind.ts';
import type { PlannedImage } from '../transfer/image.ts';

/** A repository that clusters ask for, and where they shall ask instead. */
export interface MirroredRepository {
  readonly source: string;
  readonly mirrors: readonly string[];
}

/** Kubernetes names are DNS labels here: 63 characters, as in RFC 1123. */
const MAX_NAME_LENGTH = 63;
const MARK_LENGTH = 8;

/**
 * Lists the repositories that clusters ask for, and that need a mirror. Where their content was
 * fetched from does not matter to a cluster, what is attached to an image has its repository, and
 * images of an update service are named by their new place.
 * @returns one line for each source, sorted.
 */
export function mirroredRepositories(
  images: readonly Pick<PlannedImage, 'source' | 'place' | 'attachment'>[],
  destinations: Destinations,
): readonly MirroredRepository[] {
  const mirrors = new Map<string, Set<string>>();
  for (const { source, place, attachment } of images) {
    if (attachment !== undefined || place === 'graph') continue;
    const name = formatRepository(parseReference(source));
    const mirror = formatRepository(destinations[place]);
    mirrors.set(name, (mirrors.get(name) ?? new Set()).add(mirror));
  }
  return [...mirrors]
    .map(([source, places]) => ({ source, mirrors: [...places] }))
    .toSorted((a, b) => (a.source < b.source ? -1 : 1));
}

/**
 * The ImageDigestMirrorSet for a running cluster. It is named after the registry and what it says:
 * so it never replaces one of the site's own, nor one for another path of the same registry, nor
 * one that has other sources. A cluster adds up the mirrors of all of them.
 */
export function imageDigestMirrorSet(
  registry: string,
  repositories: readonly MirroredRepository[],
): ResourceFile {
  const mark = `-${hexOf(digestOf(JSON.stringify(repositories))).slice(0, MARK_LENGTH)}`;
  const named = `idms-${registry.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`
    .slice(0, MAX_NAME_LENGTH - mark.length)
    .replace(/-+$/, '');
  const name = `${named}${mark}`;
  const object = {
    apiVersion: 'config.openshift.io/v1',
    kind: 'ImageDigestMirrorSet',
    metadata: { name },
    spec: { imageDigestMirrors: repositories },
  };
  return {
    name: `${name}.yaml`,
    text: stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }),
  };
}

/**
 * The same for `install-config.yaml`, where a new cluster is told before there is anything to apply
 * to.
 */
export function imageDigestSources(repositories: readonly MirroredRepository[]): ResourceFile {
  const text = stringify(
    { imageDigestSources: repositories },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
  return { name: 'image-digest-sources.yaml', text };
}
