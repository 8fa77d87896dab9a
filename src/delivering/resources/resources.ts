import { dirname, join, relative, resolve } from 'node:path';

import { hasCode } from '../../core/errors.ts';
import { prepareFolder } from '../../files/folder.ts';
import { refuseForeignFile } from '../../files/foreign.ts';
import { isFileThere, refuseLinkedFolders } from '../../files/own-file.ts';
import { writeWhole } from '../../files/write-whole.ts';
import type { Closure } from '../../kinds/closure.ts';
import type { Destinations } from '../../kinds/destinations.ts';
import type { DeliveredPaths, Kind, PartResources } from '../../kinds/kind.ts';
import { type ResourceFile, STAGES } from '../../kinds/resource-file.ts';
import { imageDigestMirrorSet, imageDigestSources, mirroredRepositories } from './mirror-sets.ts';
import { BEGINNING, firstSteps, type NewerNames, nextSteps } from './next-steps.ts';
import type { ResourceRequest } from './request.ts';

/** More than the steps of any number of parts. */
const MAX_STEPS_BYTES = 16 * 1024 * 1024;

export interface ResourcesReport {
  /** Paths of what was written. */
  readonly files: readonly string[];
  /** The commands that come first, and the file that says everything. */
  readonly nextSteps: readonly string[];
  readonly stepsFile: string;
}

/** A file that is about to be written. */
interface PlannedFile {
  readonly path: string;
  readonly text: string | Uint8Array;
}

/** Files for a cluster and an installer that are about to be written. */
export interface PlannedResources {
  /** The objects, in the order in which a cluster takes them. */
  readonly objects: readonly (ResourceFile & PlannedFile)[];
  /** All files but the steps. */
  readonly files: readonly PlannedFile[];
  /** Says what to do with them. */
  readonly steps: PlannedFile;
  /** The folders that this program makes for them; not one that the user has named. */
  readonly folders: readonly string[];
  /** The commands that are printed in the end. */
  readonly firstSteps: readonly string[];
}

/**
 * Plans what a cluster and an installer need to use parts from their new place. One folder gets the
 * objects, and nothing else that `oc apply -f FOLDER/` would take.
 * @param kinds of the parts.
 * @param newer is what the target holds already, which the steps warn of.
 */
export function planResources(
  { parts }: Closure,
  kinds: readonly Kind[],
  destinations: Destinations,
  { folder: named, newer }: ResourceRequest & { readonly newer: readonly NewerNames[] },
): PlannedResources {
  const ofParts = parts.map((part): PartResources => {
    const kind = kinds.find(({ name }) => name === part.kind)!;
    return kind.resources(part, destinations);
  });
  const repositories = mirroredRepositories(ofParts.flatMap(({ mirrors }) => mirrors));
  const mirrorSet = imageDigestMirrorSet(destinations.target, repositories);

  const folder = resolve(named ?? 'cluster-resources');
  const beside = resolve(named ?? '');
  const pathOf = (name: string): string => join(folder, name);
  const objects = [...ofParts.flatMap(({ files }) => files), mirrorSet]
    .toSorted((a, b) => STAGES.indexOf(a.effect.stage) - STAGES.indexOf(b.effect.stage))
    .map((file) => ({ ...file, path: pathOf(file.name) }));
  const install = {
    path: join(beside, 'install', 'image-digest-sources.yaml'),
    text: imageDigestSources(repositories),
  };
  const pathsFrom = (from: string): DeliveredPaths => ({
    mirrorSet: relative(from, pathOf(mirrorSet.name)),
    install: relative(from, install.path),
    of: (name) => relative(from, pathOf(name)),
  });
  const steps = join(beside, 'next-steps.txt');
  return {
    objects,
    files: [...objects, install],
    steps: { path: steps, text: nextSteps(ofParts, pathsFrom(beside), newer) },
    folders: [...(named === undefined ? [folder] : []), dirname(install.path)],
    firstSteps: firstSteps(ofParts, pathsFrom('')),
  };
}

/**
 * Makes the folders of planned files, and makes sure that each of the files can take its name.
 * @throws BundleError USAGE for a text of somebody else in place of the steps; DISK
 */
export async function prepareResources(planned: PlannedResources): Promise<void> {
  const { files, steps } = planned;
  await refuseLinkedFolders(planned.folders);
  const paths = [...files, steps].map(({ path }) => path);
  for (const folder of new Set(paths.map((path) => dirname(path)))) await prepare(folder);
  for (const { path } of files) await isFileThere(path);
  await refuseForeignFile({
    path: steps.path,
    what: 'no text of this program',
    limit: MAX_STEPS_BYTES,
    isOwn: (text) => text === '' || text.startsWith(BEGINNING),
  });
}

async function prepare(folder: string): Promise<void> {
  try {
    await prepareFolder(folder);
  } catch (error) {
    if (!hasCode(error, 'DISK')) throw error;
    const hint = 'Name a folder that you may write to for the files of the cluster';
    throw error.withHint(`${hint}: --resources-dir DIR.`);
  }
}

/**
 * Writes planned files; the folders have to be there: {@link prepareResources}. The steps come last,
 * since they name the others.
 * @throws BundleError DISK
 */
export async function writeResources(planned: PlannedResources): Promise<ResourcesReport> {
  const files = [...planned.files, planned.steps];
  for (const { path, text } of files) await writeWhole(path, text);
  return {
    files: files.map(({ path }) => path),
    nextSteps: planned.firstSteps,
    stepsFile: planned.steps.path,
  };
}
