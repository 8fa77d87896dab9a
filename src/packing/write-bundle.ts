import { basename, dirname } from 'node:path';

import { volumeNames } from '../bundle/format/names.ts';
import type { BundlePlan } from '../bundle/format/plan.ts';
import type { FinishedVolume } from '../bundle/writing/writer.ts';
import { BundleError, hasCode, systemCode } from '../core/errors.ts';
import { RateLimit } from '../transfer/rate.ts';
import { readAhead, type ReadAheadOptions } from '../transfer/read-ahead.ts';
import { besideFiles } from './beside-files.ts';
import { type BegunFile, checkCut, removeBegun } from './resume/begun.ts';
import type { Context } from '../core/context.ts';
import { checkSpace, type Space } from '../files/space.ts';
import { resume } from './resume/resume.ts';
import {
  checkVolumeSize,
  forgetVolumeSize,
  refuseForeignVolumeSize,
  rememberVolumeSize,
} from './resume/volume-size.ts';

export interface WriteRequest {
  /** Of the bundle; volumes are numbered behind it. */
  readonly path: string;
  readonly plan: BundlePlan;
  /** Bytes that a volume may have, if it is cut into several. */
  readonly volumeSize: number | undefined;
  /** The files that earlier runs have left under the name; none of them is somebody else's. */
  readonly begun: readonly BegunFile[];
  /** Drops those files, instead of continuing them, when nothing refuses the rest any more. */
  readonly restart: boolean;
  /** The command says so: the same command would not continue what it writes. */
  readonly isRestarted?: boolean | undefined;
  /** Is called at that time, before the first byte is written. */
  readonly starting?: () => Promise<void>;
  /** PEM of the signer's key, for the file beside the bundle. */
  readonly publicKey: string;
  /**
   * Volumes that are written, from 0 and without the end, and those before them, which are
   * finished.
   */
  readonly only: { readonly start: number; readonly end: number };
  readonly before: readonly Pick<FinishedVolume, 'path' | 'digest'>[];
  /** Is told of each volume when it is finished. */
  readonly finished?: (volume: FinishedVolume) => Promise<void>;
  /** Bytes per second at which layers are fetched at most. */
  readonly limitRate?: number | undefined;
  readonly onLost?: ReadAheadOptions['onLost'];
  /** A sentence on what else the command offers where space is short. */
  readonly otherWay?: string;
}

export interface Written {
  /** Those that this run was to write. */
  readonly volumes: readonly FinishedVolume[];
  readonly space: Space;
  readonly kept: Kept;
}

/** Layers that were there already, their bytes, and whether that was all. */
export interface Kept {
  readonly layers: number;
  readonly bytes: number;
  readonly finished: boolean;
}

/**
 * Writes a planned bundle, or what is left of it to write, with the files that belong beside it.
 * @throws BundleError USAGE when something else was begun under the name; DISK, INTERRUPTED, and
 * whatever the sources of the layers throw.
 */
export async function writeBundle(request: WriteRequest, context: Context): Promise<Written> {
  const { path, plan, begun: there, only, restart } = request;
  const { signal, observe, concurrency } = context;
  const names = volumeNames(path, plan.volumes.length);
  const beside = await besideFiles(request);
  await refuseForeignVolumeSize(path);
  if (!restart) {
    await checkCut(path, there, plan);
    if (there.length > 0) await checkVolumeSize(path, request.volumeSize);
  }
  const needed = plan.volumes
    .slice(only.start, only.end)
    .reduce((total, { size }) => total + size, 0);
  const replaced = there
    .filter(({ number }) => restart || (number > only.start && number <= only.end))
    .map((file) => file.path);
  const { otherWay } = request;
  const space = await checkSpace(dirname(path), needed, { replaced, otherWay });
  if (restart) await removeBegun(there);
  if (restart) await forgetVolumeSize(path);
  await request.starting?.();
  if (plan.volumes.length > 1) await rememberVolumeSize(path, request.volumeSize);

  const volumes: FinishedVolume[] = [];
  const finished = async (volume: FinishedVolume): Promise<void> => {
    volumes.push(volume);
    await beside(volume);
    await request.finished?.(volume);
  };
  const { writer, rest, kept, close } = await resume(
    { path, plan, files: restart ? [] : there },
    { only, finished },
    context,
  );
  if (kept.layers > 0) observe({ type: 'noticed', code: 'kept-of-earlier-run', ...kept });
  try {
    if (rest.length > 0) observe({ type: 'phase', what: `packing ${basename(path)}` });
    await readAhead(rest, (blob, content) => writer.append(blob.descriptor, content), {
      concurrency,
      signal,
      observe,
      limit: request.limitRate === undefined ? undefined : new RateLimit(request.limitRate),
      onLost: request.onLost,
    });
    await writer.finish();
  } catch (error) {
    await writer.close();
    if (signal.aborted) {
      const isRestarted = request.isRestarted === true;
      observe({ type: 'noticed', code: 'can-be-continued', folder: dirname(path), isRestarted });
      if (isRestarted) throw withoutRestart(signal.reason);
    }
    throw isTooLarge(error)
      ? error.withHint(`${error.hint ?? ''} Or write smaller volumes with --volume-size.`)
      : error;
  } finally {
    await close();
  }
  await forgetVolumeSize(path);
  const isWhole =
    volumes.length === names.length && volumes.every(({ wasFinished }) => wasFinished);
  return { volumes, space, kept: { ...kept, finished: isWhole } };
}

/** The interruption, for whoever would begin anew with the same command. */
function withoutRestart(reason: unknown): unknown {
  if (!hasCode(reason, 'INTERRUPTED')) return reason;
  return new BundleError('INTERRUPTED', reason.message, {
    ...{ status: reason.exitStatus, cause: reason },
    hint: 'To continue, run the same command again without --restart.',
  });
}

/** The file system, or a limit of the user, allows no file of that size. */
function isTooLarge(error: unknown): error is BundleError {
  return hasCode(error, 'DISK') && systemCode(error.cause) === 'EFBIG';
}
