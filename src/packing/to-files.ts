import { basename, dirname, join, resolve } from 'node:path';

import { volumeNames } from '../bundle/format/names.ts';
import type { BundlePlan, Seal } from '../bundle/format/plan.ts';
import type { FinishedVolume } from '../bundle/writing/writer.ts';
import type { Context } from '../core/context.ts';
import { checkSpace, groundOf } from '../files/space.ts';
import type { Closure } from '../kinds/closure.ts';
import type { ReadAheadOptions } from '../transfer/read-ahead.ts';
import { refuseForeignBeside } from './beside-files.ts';
import type { PackedContent } from './content.ts';
import { isMedium } from './output.ts';
import { planVolumes } from './plan-volumes.ts';
import { NOTHING_KEPT, type PackReport, signerOf } from './report.ts';
import { type BegunFile, checkCut, findBegun, refuseForeign, sealOf } from './resume/begun.ts';
import {
  forgetCompletedSet,
  recallSet,
  setUnderWay,
  rememberSet,
  type StartedSet,
} from './resume/started-sets.ts';
import { sealWith, type Signing } from './signing-key.ts';
import { writeBundle } from './write-bundle.ts';

/** A bundle that is about to be written under a path, and how. */
export interface FileJob extends PackedContent, Signing {
  readonly path: string;
  /** Where it is written until it is whole, and an older one of its name is kept meanwhile. */
  readonly at?: string | undefined;
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
  /** Drops what an earlier run has left where it is written. */
  readonly restart: boolean;
  /** The command says so: the same command again would not continue. */
  readonly isRestarted?: boolean | undefined;
}

const SEVERAL_MEDIA = 'A bundle may go onto several media: --volume-size and --stop-after.';

/** What stays until the new one is whole, and takes space meanwhile. */
const OLD_IS_KEPT =
  'The older bundle of this name stays until the new one is whole. Where you can do without it, ' +
  'delete it first.';

/**
 * The exact result that {@link packToFiles} would have.
 * @param mayLack it may turn out to be another bundle, without some images: then only the run tells
 * whether it can go on with what is under the name.
 * @throws BundleError as that does for what is under the name
 */
export async function planFiles(
  job: FileJob,
  context: Context,
  mayLack = false,
): Promise<PackReport> {
  const { path, at = path, described, key, made, restart } = job;
  const sealed = sealWith(key, key.placeholder);
  const cut = { path, asked: job.volumeSize };
  const { plan } = await planVolumes(described, sealed, cut, context.observe);
  const begun = await findBegun(at);
  await refuseForeign(begun);
  const there = await findBegun(path);
  await refuseForeign(there);
  await refuseForeignBeside(path);
  if (!restart && !mayLack) {
    const { set, seal } = await beginningOf(job, begun, context);
    if (set === undefined && seal !== undefined) await checkCut(at, begun, plan);
  }
  const replaced = begun.map((file) => file.path);
  const options = { replaced, otherWay: otherWayOf(job) };
  const space = await checkSpace(dirname(path), plan.size, options);
  const volumes = volumeNames(path, plan.volumes.length).map((name, index) => ({
    path: name,
    size: plan.volumes[index]!.size,
  }));
  const { id, algorithm } = signerOf(key);
  const signer = { id: made === 'planned' ? undefined : id, algorithm };
  return {
    ...{ ...reportOf(job, plan), volumes, left: 0, signer, space, dryRun: true },
    there: { paths: there.map((file) => file.path), isReplaced: restart || at !== path },
  };
}

/**
 * Writes a bundle into a file or into volumes, or continues one that an earlier run has begun.
 * @throws BundleError USAGE when something else was begun under the name; DISK, INTERRUPTED, and
 * whatever the sources of the blobs throw.
 */
export async function packToFiles(job: FileJob, context: Context): Promise<PackReport> {
  const { path, at = path, described, key, closure } = job;
  const { volumeSize: asked, stopAfter, limitRate, restart, isRestarted } = job;
  const begun = await findBegun(at);
  await refuseForeign(begun);
  const before = restart ? NOTHING_BEGUN : await beginningOf(job, begun, context);
  const { set } = before;
  const seal: Seal = before.seal ?? sealWith(key, key.sign(described.sums));
  const { plan, volumeSize } = await planVolumes(described, seal, { path, asked }, context.observe);
  announce(closure, plan, context);

  const count = plan.volumes.length;
  const landed = <T extends { readonly path: string }>(volume: T): T =>
    at === path ? volume : { ...volume, path: join(dirname(path), basename(volume.path)) };
  const done = [...(set?.done ?? [])];
  const start = done.length;
  const until = goalOf(set, { start, count, stopAfter });
  const remember = async (): Promise<void> => {
    if (asked === undefined || stopAfter === undefined) return;
    const isComplete = done.length === count;
    const remembered = { seal, volumeSize: asked, done: done.map(landed), until, isComplete };
    await rememberSet(path, described.bundleDigest, remembered, context);
  };
  if (start > 0) noticeEarlier({ done, count, path }, context);
  if (stopAfter === undefined && begun.length === 0 && !restart) await noticeLeft(path, context);
  const { volumes, space, kept } = await writeBundle(
    {
      ...{ path: at, plan, volumeSize, begun, restart, isRestarted, limitRate },
      onLost: job.onLost,
      starting: remember,
      publicKey: key.public.pem,
      otherWay: otherWayOf(job),
      only: { start, end: until },
      before: [...done],
      finished: async (volume) => {
        done.push(volume);
        await remember();
      },
    },
    context,
  );
  if (stopAfter === undefined && asked !== undefined) {
    await forgetCompletedSet(path, described.bundleDigest, asked, context);
  }
  const left = count - until;
  const files = volumes.map(landed);
  const { mountPoint } = await groundOf(dirname(path));
  const written = { volumes: files, before: start, left, space, kept };
  return { ...reportOf(job, plan), ...written, isOnMedium: isMedium(mountPoint) };
}

/** What a bundle was begun with. */
interface Beginning {
  readonly set: StartedSet | undefined;
  readonly seal: Seal | undefined;
}

const NOTHING_BEGUN: Beginning = { set: undefined, seal: undefined };

/** @throws BundleError USAGE when something else was begun under the name */
async function beginningOf(
  { path, described, key, volumeSize, stopAfter }: FileJob,
  begun: readonly BegunFile[],
  context: Context,
): Promise<Beginning> {
  const set =
    stopAfter === undefined || volumeSize === undefined
      ? undefined
      : await recallSet({ path, volumeSize }, described, key, context);
  return { set, seal: set?.seal ?? (await sealOf(begun, described, key.public)) };
}

function otherWayOf({ path, at = path }: FileJob): string {
  return at === path ? SEVERAL_MEDIA : `${OLD_IS_KEPT} ${SEVERAL_MEDIA}`;
}

function reportOf(
  { path, described, key, closure, isRestarted }: FileJob,
  { size, bundleDigest }: BundlePlan,
): Omit<PackReport, 'volumes' | 'left' | 'space'> {
  const { name, repairs, blobs } = described.manifest;
  const layers = described.contents.blobs.map(({ descriptor }) => descriptor.size);
  const layerBytes = layers.reduce((total, bytes) => total + bytes, 0);
  const mends = repairs && { blobs: blobs.length, layers: layers.length, layerBytes };
  const signer = signerOf(key);
  const common = { before: 0, kept: NOTHING_KEPT, isRestarted, dryRun: false };
  return { name, path, size, bundleDigest, repairs, mends, signer, closure, ...common };
}

/** Volumes of that name on other media: nobody may think that this run goes on with them. */
async function noticeLeft(path: string, context: Context): Promise<void> {
  const set = await setUnderWay(path, context);
  if (set === undefined) return;
  const { done, volumeSize } = set;
  const facts = { path: done[0]!.path, volumes: done.length, volumeSize };
  context.observe({ type: 'noticed', code: 'set-left', ...facts });
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

/** Volumes that earlier runs have finished, of so many; and where this run writes. */
interface Earlier {
  readonly done: readonly Pick<FinishedVolume, 'path'>[];
  readonly count: number;
  readonly path: string;
}

function noticeEarlier({ done, count, path }: Earlier, { observe }: Context): void {
  const here = dirname(path);
  // They are remembered with absolute paths, and the user has typed this one.
  const typed = done.map((volume) => {
    const folder = dirname(volume.path);
    return resolve(folder) === resolve(here) ? here : folder;
  });
  const folders = [...new Set(typed)];
  const facts = { done: done.length, count, folders };
  observe({ type: 'noticed', code: 'volumes-written-earlier', ...facts });
}
