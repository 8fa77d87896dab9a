import type { Context } from '../core/context.ts';
import { hasCode } from '../core/errors.ts';
import { withLock } from '../files/lock.ts';
import type { Closure } from '../kinds/closure.ts';
import type { FoundParts } from './find-parts.ts';
import { packLeavingHoles } from './incomplete.ts';
import type { PackReport } from './report.ts';
import { inItsPlace, placeOf } from './resume/replacing.ts';
import { type FileJob, packToFiles, planFiles } from './to-files.ts';

/** The bundle of what was found, or of less where images of it cannot be had. */
export type JobOf = (closure: Closure) => FileJob;

interface WriteRequest extends Pick<FileJob, 'restart' | 'stopAfter'> {
  /** Whether images that cannot be had may be left out. */
  readonly incomplete?: boolean | undefined;
}

/**
 * What {@link writeInPlace} would write, to the byte.
 * @throws BundleError as {@link planFiles} does
 */
export async function planInPlace(
  job: FileJob,
  context: Context,
  isIncompleteAllowed?: boolean,
): Promise<PackReport> {
  const at = await placeOf(job);
  const plan = await planFiles({ ...job, at }, context, isIncompleteAllowed);
  return { ...plan, isIncompleteAllowed };
}

/**
 * Writes a bundle into its files, with the lock on them held.
 * @throws BundleError as {@link packToFiles} and {@link packLeavingHoles} do
 */
export async function writeInPlace(
  found: FoundParts,
  jobOf: JobOf,
  { restart, incomplete, stopAfter }: WriteRequest,
  context: Context,
): Promise<PackReport> {
  const job = jobOf(found);
  const { path, key } = job;
  return withLock(path, context.signal, (signal) =>
    inItsPlace(job, context, (at) => {
      const locked = { ...context, signal };
      if (incomplete !== true)
        return packToFiles({ ...job, at }, locked).catch((error: unknown) => {
          throw isWhole(job) ? withoutIt(error) : error;
        });
      const leaving = {
        ...{ path: at, key, restart, isCarriedAway: stopAfter !== undefined },
        jobOf: (closure: Closure): FileJob => ({ ...jobOf(closure), at }),
      };
      return packLeavingHoles(found, leaving, locked);
    }),
  );
}

/** A patch has to hold all that it is made for. */
function isWhole({ described }: FileJob): boolean {
  return described.manifest.repairs === undefined;
}

/** Whoever packs many images may do without the one that a registry has lost. */
function withoutIt(error: unknown): unknown {
  const isLost = hasCode(error, 'NOT_FOUND') && error.side === 'source';
  if (!isLost) return error;
  return error.withHint(
    `${error.hint ?? ''} Or name another source with --mirror, or pack without this image: ` +
      '--incomplete.',
  );
}
