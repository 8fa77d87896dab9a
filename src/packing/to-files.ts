import { dirname } from 'node:path';

import { volumeNames } from '../bundle/format/names.ts';
import type { BundlePlan, Seal } from '../bundle/format/plan.ts';
import type { FinishedVolume } from '../bundle/writing/writer.ts';
import type { Context } from '../core/context.ts';
import { checkSpace } from '../files/space.ts';
import type { Closure } from '../kinds/closure.ts';
import type { ReadAheadOptions } from '../transfer/read-ahead.ts';
import type { PackedContent } from './content.ts';
import { planVolumes } from './plan-volumes.ts';
import { NOTHING_KEPT, type PackReport, signerOf } from './report.ts';
import { findBegun, refuseForeign, sealOf } from './resume/begun.ts';
import {
  forgetCompletedSet,
  forgetSet,
  recallSet,
  rememberSet,
  type StartedSet,
} from './resume/started-sets.ts';
import { sealWith, type Signing } from './signing-key.ts';
import { writeBundle } from './write-bundle.ts';

/** A bundle that is about to be written under a path, and how. */
export interface FileJob extends PackedContent, Signing {
  readonly path: string;
  readonly closure: Closure;
  /** Bytes that a volume may have; one file is written if it is left out. */
  readonly volumeSize?: number | undefined;
  /**
   * How many volumes this run finishes at most; a later run continues, with another medium if need
   * be.
   */
  readonly stopAfter?: number | undefined;
  /** Bytes per second at which blobs are fetched at most. */
  readonly limitRate?: number | undefined;
  /** Is told which blob could not be had, where that ends the run. */
  readonly onLost?: ReadAheadOptions['onLost'];
  /** Drops what an earlier run has left under the same name. */
  readonly restart: boolean;
}

const SEVERAL_MEDIA = 'A bundle may go onto several media: --volume-size and --stop-after.';

/** The exact result that {@link packToFiles} would have. */
export async function planFiles(job: FileJob, { observe }: Context): Promise<PackReport> {
  const { path, described, key, made } = job;
  const seal = sealWith(key, key.placeholder);
  const { plan } = await planVolumes(described, seal, { path, asked: job.volumeSize }, observe);
  const begun = await findBegun(path);
  const replaced = begun.map((file) => file.path);
  const space = await checkSpace(dirname(path), plan.size, { replaced, otherWay: SEVERAL_MEDIA });
  const volumes = volumeNames(path, plan.volumes.length).map((name, index) => ({
    path: name,
    size: plan.volumes[index]!.size,
  }));
  const { id, algorithm } = signerOf(key);
  const signer = { id: made === 'planned' ? undefined : id, algorithm };
  return { ...reportOf(job, plan), volumes, left: 0, signer, space, dryRun: true };
}

/**
 * Writes a bundle into a file or into volumes, or continues one that an earlier run has begun.
 * @throws BundleError USAGE when something else was begun under the name; DISK, INTERRUPTED, and
 * whatever the sources of the blobs throw.
 */
export async function packToFiles(job: FileJob, context: Context): Promise<PackReport> {
  const { path, described, key, closure, volumeSize: asked, stopAfter, limitRate, restart } = job;
  const begun = await findBegun(path);
  await refuseForeign(begun);
  const set =
    stopAfter === undefined || asked === undefined || restart
      ? undefined
      : await recallSet({ path, volumeSize: asked }, described, key, context);
  const seal: Seal =
    set?.seal ??
    (restart ? undefined : await sealOf(begun, described, key.public)) ??
    sealWith(key, key.sign(described.sums));
  const { plan, volumeSize } = await planVolumes(described, seal, { path, asked }, context.observe);
  announce(closure, plan, context);

  const count = plan.volumes.length;
  const done = [...(set?.done ?? [])];
  const start = done.length;
  const until = goalOf(set, { start, count, stopAfter });
  const remember = async (): Promise<void> => {
    if (asked === undefined || stopAfter === undefined) return;
    const remembered = { seal, volumeSize: asked, done, until };
    await rememberSet(path, described.bundleDigest, remembered, context);
  };
  if (start > 0) noticeEarlier(done, count, context);
  const { volumes, space, kept } = await writeBundle(
    {
      ...{ path, plan, volumeSize, begun, restart, limitRate, onLost: job.onLost },
      starting: remember,
      publicKey: key.public.pem,
      otherWay: SEVERAL_MEDIA,
      only: { start, end: until },
      before: [...done],
      finished: async (volume) => {
        done.push(volume);
        await remember();
      },
    },
    context,
  );
  if (until === count && stopAfter !== undefined) await forgetSet(path, context);
  if (stopAfter === undefined && asked !== undefined) {
    await forgetCompletedSet(path, described.bundleDigest, asked, context);
  }
  const left = count - until;
  return { ...reportOf(job, plan), volumes, before: start, left, space, kept };
}

function reportOf(
  { path, described, key, closure }: FileJob,
  { size, bundleDigest }: BundlePlan,
): Omit<PackReport, 'volumes' | 'left' | 'space'> {
  const { name, repairs } = described.manifest;
  const signer = signerOf(key);
  const common = { before: 0, kept: NOTHING_KEPT, dryRun: false };
  return { name, path, size, bundleDigest, repairs, signer, closure, ...common };
}

/** Tells what will be fetched. */
export function announce({ content }: Closure, plan: BundlePlan, { observe }: Context): void {
  const { layers } = plan;
  const bytes = layers.reduce((total, { size }) => total + size, 0);
  observe({ type: 'planned', blobs: layers.length, bytes, images: content.images.length });
}

/**
 * How many volumes have to exist when this run ends. An interrupted run's volumes are finished
 * first.
 */
function goalOf(
  set: StartedSet | undefined,
  { start, count, stopAfter }: { start: number; count: number; stopAfter: number | undefined },
): number {
  const goal = set !== undefined && set.until > start ? set.until : start + (stopAfter ?? count);
  return Math.min(goal, count);
}

function noticeEarlier(
  done: readonly Pick<FinishedVolume, 'path'>[],
  count: number,
  { observe }: Context,
): void {
  const folders = [...new Set(done.map((volume) => dirname(volume.path)))];
  const facts = { done: done.length, count, folders };
  observe({ type: 'noticed', code: 'volumes-written-earlier', ...facts });
}
