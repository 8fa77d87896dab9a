import { dirname, join, relative } from 'node:path';

import { prepareFolder } from '../files/folder.ts';
import { writeWhole } from '../files/write-whole.ts';
import type { Closure } from '../kinds/closure.ts';
import type { Destinations } from '../kinds/destinations.ts';
import type { DeliveredPaths, Kind, PartResources } from '../kinds/kind.ts';
import { imageDigestMirrorSet, imageDigestSources, mirroredRepositories } from './mirror-sets.ts';
import { firstSteps, nextSteps } from './next-steps.ts';

export interface ResourcesReport {
  /** Paths of what was written. */
  readonly files: readonly string[];
  /** The lines that are printed in the end. */
  readonly nextSteps: readonly string[];
}

/** Makes the folders that {@link writeResources} writes to. @throws BundleError DISK */
export async function prepareResources(folder: string): Promise<void> {
  await prepareFolder(dirname(folder));
  await prepareFolder(folder);
  await prepareFolder(installFolder(folder));
}

function installFolder(folder: string): string {
  return join(dirname(folder), 'install');
}

/**
 * Writes what a cluster and an installer need to use parts from their new place. `folder` gets only
 * what survives `oc apply -f FOLDER/`; beside it go `install/` and `next-steps.txt`. The folders
 * have to be there: {@link prepareResources}.
 * @param kinds of the parts.
 * @throws BundleError DISK
 */
export async function writeResources(
  { parts, content }: Closure,
  kinds: readonly Kind[],
  destinations: Destinations,
  folder: string,
): Promise<ResourcesReport> {
  const ofParts = parts.map((part): PartResources => {
    const kind = kinds.find(({ name }) => name === part.kind)!;
    return kind.resources(part, destinations);
  });
  const repositories = mirroredRepositories(content.images, destinations);
  const mirrorSet = imageDigestMirrorSet(destinations.releaseImages.registry, repositories);
  const sources = imageDigestSources(repositories);

  const beside = dirname(folder);
  const steps = join(beside, 'next-steps.txt');
  const mirrorSetPath = join(folder, mirrorSet.name);
  const installPath = join(installFolder(folder), sources.name);
  const pathsFrom = (from: string): DeliveredPaths => ({
    mirrorSet: relative(from, mirrorSetPath),
    install: relative(from, installPath),
    of: (name) => relative(from, join(folder, name)),
  });
  const partFiles = ofParts.flatMap(({ files }) => files);
  for (const { name, text } of partFiles) await writeWhole(join(folder, name), text);
  await writeWhole(mirrorSetPath, mirrorSet.text);
  await writeWhole(installPath, sources.text);
  await writeWhole(steps, nextSteps(ofParts, pathsFrom(beside)));
  const written = partFiles.map(({ name }) => join(folder, name));
  return {
    files: [...written, mirrorSetPath, installPath, steps],
    nextSteps: firstSteps(ofParts, pathsFrom(''), relative('', steps)),
  };
}
