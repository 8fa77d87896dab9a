import { dirname, join, relative, resolve } from 'node:path';

import { hasCode } from '../core/errors.ts';
import { prepareFolder } from '../files/folder.ts';
import { refuseForeignFile } from '../files/foreign.ts';
import { isFileThere, refuseLinkedFolders } from '../files/own-file.ts';
import { writeWhole } from '../files/write-whole.ts';
import type { Closure } from '../kinds/closure.ts';
import type { Destinations } from '../kinds/destinations.ts';
import type { DeliveredPaths, Kind, PartResources } from '../kinds/kind.ts';
import { imageDigestMirrorSet, imageDigestSources, mirroredRepositories } from './mirror-sets.ts';
import { BEGINNING, firstSteps, type NewerNames, nextSteps } from './next-steps.ts';

/** More than the steps of any number of parts. */
const MAX_STEPS_BYTES = 16 * 1024 * 1024;

export interface ResourcesReport {
  /** Paths of what was written. */
  readonly files: readonly string[];
  /** The commands that come first, and the file that says everything. */
  readonly nextSteps: readonly string[];
  readonly stepsFile: string;
}

/** Files for a cluster and an installer that are about to be written. */
export interface PlannedResources {
  readonly files: readonly { readonly path: string; readonly text: string | Uint8Array }[];
  /** Says what to do with them. */
  readonly steps: { readonly path: string; readonly text: string };
  /** The folders that this program makes for them; not one that the user has named. */
  readonly folders: readonly string[];
  /** The commands that are printed in the end. */
  readonly firstSteps: readonly string[];
}

/**
 * Plans what a cluster and an installer need to use parts from their new place. One folder gets the
 * objects, and nothing else that `oc apply -f FOLDER/` would take.
 * @param kinds of the parts.
 * @param options `named` is where the user wants all of it; `undefined` for the usual places in the
 * current folder: `cluster-resources/` for the objects, and beside it `install/` and
 * `next-steps.txt`. `newer` is what the target holds already, which the steps warn of.
 */
export function planResources(
  { parts, content }: Closure,
  kinds: readonly Kind[],
  destinations: Destinations,
  { named, newer }: { readonly named: string | undefined; readonly newer: readonly NewerNames[] },
): PlannedResources {
  const ofParts = parts.map((part): PartResources => {
    const kind = kinds.find(({ name }) => name === part.kind)!;
    return kind.resources(part, destinations);
  });
  const repositories = mirroredRepositories(content.images, destinations);
  const mirrorSet = imageDigestMirrorSet(destinations.entry.registry, repositories);
  const sources = imageDigestSources(repositories);

  const folder = resolve(named ?? 'cluster-resources');
  const beside = resolve(named ?? '');
  const steps = join(beside, 'next-steps.txt');
  const mirrorSetPath = join(folder, mirrorSet.name);
  const installPath = join(beside, 'install', sources.name);
  const pathsFrom = (from: string): DeliveredPaths => ({
    mirrorSet: relative(from, mirrorSetPath),
    install: relative(from, installPath),
    of: (name) => relative(from, join(folder, name)),
  });
  return {
    files: [
      ...ofParts.flatMap(({ files }) =>
        files.map(({ name, text }) => ({ path: join(folder, name), text })),
      ),
      { path: mirrorSetPath, text: mirrorSet.text },
      { path: installPath, text: sources.text },
    ],
    steps: { path: steps, text: nextSteps(ofParts, pathsFrom(beside), newer) },
    folders: [...(named === undefined ? [folder] : []), dirname(installPath)],
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
