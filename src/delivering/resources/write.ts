import { dirname, join } from 'node:path';

import { hasCode } from '../../core/errors.ts';
import { few } from '../../core/text.ts';
import { listFolder, prepareFolder } from '../../files/folder.ts';
import { refuseForeignFile } from '../../files/foreign.ts';
import { isFileThere, refuseNoFolders } from '../../files/own-file.ts';
import { writeWhole } from '../../files/write-whole.ts';
import type { ShownStep } from '../../kinds/resource-file.ts';
import { BEGINNING } from './next-steps.ts';
import type { PlannedResources } from './plan.ts';
import { prepareSignatures, type SignaturesReport, writeSignatures } from './signatures.ts';

/** More than the steps of any number of parts. */
const MAX_STEPS_BYTES = 16 * 1024 * 1024;

export interface ResourcesReport {
  /** Paths of what was written, as they are typed in the current folder. */
  readonly files: readonly string[];
  /** What comes first, in this order, and the file that says everything. */
  readonly nextSteps: readonly ShownStep[];
  readonly stepsFile: string;
  /** Signatures that are kept beside images, for a web server. */
  readonly signatures?: SignaturesReport;
  /** Facts about them that have to be known at once, a sentence each. */
  readonly notes: readonly string[];
  /** Whether the files name the registry by an address of one machine: no cluster can use them. */
  readonly isLoopback: boolean;
}

/**
 * Makes the folders of planned files, and makes sure that each of the files can take its name.
 * @throws BundleError USAGE for a text of somebody else in place of the steps; DISK
 */
export async function prepareResources(planned: PlannedResources): Promise<void> {
  const { files, steps } = planned;
  await refuseNoFolders(planned.folders);
  const paths = [...files, steps].map(({ path }) => path);
  for (const folder of new Set(paths.map((path) => dirname(path)))) await prepare(folder);
  for (const { path } of files) await isFileThere(path);
  if (planned.signatures !== undefined) await prepareSignatures(planned.signatures);
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
    throw error.withHint(`${hint}: --resources-dir FOLDER.`);
  }
}

/**
 * Says which files for clusters are beside the planned ones: they look as if they belonged to them.
 * Those of an earlier bundle may be wanted still, so they stay.
 * @throws BundleError DISK
 */
async function othersNote({ objects, files }: PlannedResources): Promise<readonly string[]> {
  const own = new Set(files.map(({ path }) => path));
  const others: string[] = [];
  for (const folder of new Set(objects.map(({ path }) => dirname(path)))) {
    const paths = (await listFolder(folder)).map((name) => join(folder, name));
    others.push(...paths.filter((path) => path.endsWith('.yaml') && !own.has(path)));
  }
  if (others.length === 0) return [];
  const names = few(others).join(', ');
  const are =
    others.length === 1
      ? '1 other file for clusters is'
      : `${others.length} other files for clusters are`;
  return [
    `${are} beside them, of an earlier run or of somebody else: ${names}. next-steps.txt does not name them.`,
  ];
}

/**
 * Writes planned files; the folders have to be there: {@link prepareResources}. The steps come last,
 * since they name the others.
 * @throws BundleError DISK
 */
export async function writeResources(planned: PlannedResources): Promise<ResourcesReport> {
  const files = [...planned.files, planned.steps];
  const signatures = planned.signatures && (await writeSignatures(planned.signatures));
  for (const { path, text } of files) await writeWhole(path, text);
  return {
    files: files.map(({ path }) => path),
    nextSteps: planned.firstSteps,
    stepsFile: planned.steps.path,
    ...(signatures !== undefined && { signatures }),
    notes: [...planned.notes, ...(await othersNote(planned))],
    isLoopback: planned.isLoopback,
  };
}
