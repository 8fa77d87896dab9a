import { dirname, join, relative } from 'node:path';

import { writeWhole } from '../bundle/writing/volume-writer.ts';
import { formatRepository, parseReference } from '../core/reference.ts';
import { signatureConfigMap } from '../kinds/release/config-map.ts';
import type { Destinations } from '../kinds/destinations.ts';
import { imageDigestMirrorSet, imageDigestSources, mirroredRepositories } from './mirror-sets.ts';
import { type DeliveredRelease, firstSteps, nextSteps } from '../kinds/release/next-steps.ts';
import { prepareFolder } from '../files/disk.ts';
import type { PlannedRelease } from '../kinds/release/release.ts';

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
 * Writes what a cluster and an installer need to use the release from its new place. `folder` gets
 * only what survives `oc apply -f FOLDER/`; beside it go `install/` and `next-steps.txt`. The
 * folders have to be there: {@link prepareResources}.
 * @throws BundleError DISK
 */
export async function writeResources(
  release: PlannedRelease,
  destinations: Destinations,
  folder: string,
): Promise<ResourcesReport> {
  const { digest, signatures, references, version, architecture } = release;
  const repositories = mirroredRepositories(
    parseReference(release.reference),
    references.components.map(({ reference }) => reference),
    destinations,
  );
  const mirrorSet = imageDigestMirrorSet(destinations.releaseImages.registry, repositories);
  const sources = imageDigestSources(repositories);
  const messages = signatures.map(({ message }) => message);
  const configMap = messages.length > 0 ? signatureConfigMap(digest, messages) : undefined;

  const beside = dirname(folder);
  const stepsPath = join(beside, 'next-steps.txt');
  const paths = {
    signature: configMap && join(folder, configMap.name),
    mirrorSet: join(folder, mirrorSet.name),
    install: join(installFolder(folder), sources.name),
  };
  const delivered = (from: string): DeliveredRelease => ({
    version,
    architecture,
    pinned: `${formatRepository(destinations.releaseImages)}@${digest}`,
    signatureFile: paths.signature && relative(from, paths.signature),
    mirrorSetFile: relative(from, paths.mirrorSet),
    installFile: relative(from, paths.install),
  });
  if (configMap && paths.signature !== undefined) await writeWhole(paths.signature, configMap.text);
  await writeWhole(paths.mirrorSet, mirrorSet.text);
  await writeWhole(paths.install, sources.text);
  await writeWhole(stepsPath, nextSteps(delivered(beside)));
  return {
    files: [
      ...(paths.signature === undefined ? [] : [paths.signature]),
      paths.mirrorSet,
      paths.install,
      stepsPath,
    ],
    nextSteps: firstSteps(delivered(''), relative('', stepsPath)),
  };
}
