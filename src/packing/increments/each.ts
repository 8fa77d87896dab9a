import { dirname } from 'node:path';

import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import { checkSpace } from '../../files/space.ts';
import type { PackReport } from '../report.ts';
import { findBegun } from '../resume/begun.ts';
import { type FileJob, planFiles } from '../to-files.ts';
import type { LeftOut } from './leave-out.ts';

/**
 * Names of sites that differ in letters which file names do not have, or which some file systems
 * take for the same, would give one file to two sites. @throws BundleError USAGE
 */
export function refuseNamesakes(jobs: readonly Pick<FileJob, 'path' | 'fileName'>[]): void {
  const names = new Set<string>();
  for (const { path, fileName } of jobs) {
    if (names.has(path.toLowerCase())) {
      throw new BundleError('USAGE', `two of the sites would get the file ${fileName}`, {
        hint: 'Pack for one of them alone, with --since-last and a --name of its own.',
      });
    }
    names.add(path.toLowerCase());
  }
}

/** Plans several bundles, for which there has to be room together. @throws BundleError DISK */
export async function planTogether(
  jobs: readonly FileJob[],
  context: Context,
): Promise<readonly PackReport[]> {
  const planned: PackReport[] = [];
  const replaced: string[] = [];
  for (const job of jobs) {
    planned.push(await planFiles(job, context));
    replaced.push(...(await findBegun(job.at ?? job.path)).map(({ path }) => path));
  }
  const needed = planned.reduce((sum, { size }) => sum + size, 0);
  const [first] = jobs;
  if (first !== undefined) await checkSpace(dirname(first.path), needed, { replaced });
  return planned;
}

/** The configs and layers that bundles hold, each once. */
export function blobsTogether(jobs: readonly Pick<FileJob, 'described'>[]): LeftOut {
  const all = jobs.flatMap(({ described }) => described.contents.blobs);
  const sizes = new Map(all.map(({ descriptor: { digest, size } }) => [digest, size]));
  return { blobs: sizes.size, bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0) };
}
