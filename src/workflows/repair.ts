import { basename, dirname, join } from 'node:path';

import { volumeNames } from '../bundle/format/names.ts';
import { type Fault, VOLUME_END } from '../bundle/reading/fault.ts';
import type { Context } from '../core/context.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, gravest, hasCode } from '../core/errors.ts';
import { identityOf } from '../files/look.ts';
import { withLock } from '../files/lock.ts';
import { PARTIAL_SUFFIX } from '../files/own-file.ts';
import type { Closure } from '../kinds/closure.ts';
import {
  copyOrPatch,
  missingVolumesOf,
  missingVolumesWay,
  needsOtherPatch,
} from '../opening/damaged.ts';
import { type OpenRequest, surveyBundle, type SurveyedBundle } from '../opening/open-bundle.ts';
import { type PackedContent, wholeContent } from '../packing/content.ts';
import {
  bundlePath,
  checkFileName,
  inOutput,
  type Output,
  parseOutput,
} from '../packing/output.ts';
import { planVolumes } from '../packing/plan-volumes.ts';
import { inItsPlace } from '../packing/resume/replacing.ts';
import { findBegun, refuseForeign, sealOf } from '../packing/resume/begun.ts';
import { announce } from '../packing/to-files.ts';
import { writeBundle } from '../packing/write-bundle.ts';

export interface RepairRequest {
  /** The damaged bundle, and patches for it. */
  readonly bundle: OpenRequest;
  /** A folder, or a file that is called like the bundle. */
  readonly output: string;
  /** Bytes that a volume may have; one file is written if it is left out. */
  readonly volumeSize?: number | undefined;
  /** Drops what an earlier run has left under the same name. */
  readonly restart?: boolean | undefined;
}

export interface RepairReport {
  readonly path: string;
  readonly volumes: readonly {
    readonly path: string;
    readonly size: number;
    readonly digest: Digest;
  }[];
  readonly size: number;
  readonly bundleDigest: Digest;
  readonly closure: Closure;
  /** How many volumes the damaged one was cut into. */
  readonly was: number;
  /** Faults that were found in the damaged one, blobs apart. */
  readonly faults: number;
  /** Whether it was there already, whole: then it was only read. */
  readonly finished: boolean;
  /** Whether something may have been damaged: a patch was given, or there are faults. */
  readonly wasDamaged: boolean;
}

/**
 * Writes a whole bundle from a damaged one and patches for it: the same, to the byte, as the
 * damaged one was when it was cut in the same way. Every blob is hashed on its way; what is neither
 * blob nor manifest is computed.
 * @throws BundleError as opening a bundle does; CONTENT_MISMATCH or BUNDLE_UNUSABLE for a blob that
 * is damaged in every source; DISK; USAGE for a file of another name than the bundle has
 */
export async function repair(request: RepairRequest, context: Context): Promise<RepairReport> {
  const output = await parseOutput(request.output);
  return inOutput(output, context, () => repairInto(output, request, context));
}

async function repairInto(
  output: Output,
  request: RepairRequest,
  context: Context,
): Promise<RepairReport> {
  const faults: Fault[] = [];
  const broken = await surveyBundle(request.bundle, context, (fault) => faults.push(fault));
  try {
    const closure = await derived(broken, faults, request.bundle);
    const { name, requires } = broken.reader.manifest;
    checkFileName(output, name);
    const content = wholeContent(closure, name, requires);
    if (content.described.bundleDigest !== broken.digest) {
      throw new RangeError('the derived bundle is another than the one that was opened');
    }
    await refuseLack(broken, faults, request.bundle);
    const path = bundlePath(output, name);
    const job = { ...content, closure, path, broken };
    const written = await withLock(path, context.signal, (signal) =>
      rewrite(job, request, { ...context, signal }).catch(async (error: unknown) => {
        const isDamaged = hasCode(error, 'CONTENT_MISMATCH') || hasCode(error, 'BUNDLE_UNUSABLE');
        throw isDamaged && error.side === 'source'
          ? error.withHint(await needsPatch(broken, request.bundle))
          : error;
      }),
    );
    const was = broken.reader.volumeCount;
    const wasDamaged = broken.isPatched || faults.length > 0;
    return { ...written, path, closure, was, faults: faults.length, wasDamaged };
  } finally {
    await broken.close();
  }
}

async function derived(
  bundle: SurveyedBundle,
  faults: readonly Fault[],
  asked: OpenRequest,
): Promise<Closure> {
  if (bundle.closure !== undefined) return bundle.closure;
  const missing = missingVolumesOf(bundle, faults);
  const error =
    faults.length > 0 ? (gravest(faults.map((fault) => fault.error)) as BundleError) : missing;
  if (error === undefined) throw new RangeError('nothing explains what is missing');
  throw error.withHint(await needsPatch(bundle, asked, { faults, missing }));
}

/** Before anything is written: what neither the bundle nor a patch has cannot be written. */
async function refuseLack(
  broken: SurveyedBundle,
  faults: readonly Fault[],
  asked: OpenRequest,
): Promise<void> {
  const { content, reader } = broken;
  let isWhole = true;
  for (const layer of reader.layers) isWhole &&= await content.exists(layer);
  if (isWhole) return;
  const missing = missingVolumesOf(broken, faults);
  const cutOff = faults.find(({ entries }) => entries.length > 1 && entries.includes(VOLUME_END));
  const error = cutOff?.error ?? missing;
  if (error !== undefined)
    throw error.withHint(await needsPatch(broken, asked, { faults, missing }));
}

async function needsPatch(
  bundle: SurveyedBundle,
  asked: OpenRequest,
  known: { readonly faults?: readonly Fault[]; readonly missing?: BundleError | undefined } = {},
): Promise<string> {
  if (bundle.isPatched) return needsOtherPatch(asked, bundle);
  if (known.missing !== undefined) return missingVolumesWay(asked, bundle, known);
  return `A patch is needed, and none was given. ${copyOrPatch(asked, bundle, known)}`;
}

interface Rewriting extends PackedContent {
  readonly closure: Closure;
  readonly path: string;
  readonly broken: SurveyedBundle;
}

async function rewrite(
  job: Rewriting,
  { volumeSize: asked, restart = false }: RepairRequest,
  context: Context,
): Promise<Pick<RepairReport, 'volumes' | 'size' | 'bundleDigest' | 'finished'>> {
  const { described, closure, path, broken } = job;
  const { seal, signer, files, patchFiles } = broken;
  const { plan, volumeSize } = await planVolumes(described, seal, { path, asked }, context.observe);
  const targets = volumeNames(path, plan.volumes.length).flatMap((name) => [
    name,
    `${name}${PARTIAL_SUFFIX}`,
  ]);
  await refuseOverwriting(
    [...files, ...patchFiles],
    [...targets, ...(await findBegun(path)).map((file) => file.path)],
  );
  return inItsPlace({ path, restart }, context, async (at) => {
    const there = await findBegun(at);
    await refuseForeign(there);
    if (!restart) await sealOf(there, described, signer);
    announce(closure, plan, context);
    const only = { start: 0, end: plan.volumes.length };
    const writing = { path: at, plan, volumeSize, publicKey: signer.pem, only, before: [] };
    const again = { begun: there, restart, isRestarted: restart };
    const { volumes, kept } = await writeBundle({ ...writing, ...again }, context);
    const landed = volumes.map((volume) => ({
      ...volume,
      path: join(dirname(path), basename(volume.path)),
    }));
    const { size, bundleDigest } = plan;
    return { volumes: landed, size, bundleDigest, finished: kept.finished };
  });
}

/** The damaged bundle is only read, by whatever path it is reached: it may be all that there is. */
async function refuseOverwriting(
  sources: readonly string[],
  targets: readonly string[],
): Promise<void> {
  const read = new Set(await Promise.all(sources.map(identityOf)));
  for (const name of targets) {
    const identity = await identityOf(name);
    if (identity === undefined || !read.has(identity)) continue;
    throw new BundleError('USAGE', `${name} is the damaged bundle itself`, {
      hint: 'Name another folder.',
    });
  }
}
