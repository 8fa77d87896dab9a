import type { RequiredBundle } from '../../bundle/format/manifest.ts';
import type { Context } from '../../core/context.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { History } from '../../history/history.ts';
import { patchContent, readWantedPatch } from '../../packing/content.ts';
import { planInPlace, writeInPlace } from '../../packing/in-place.ts';
import { leftOut } from '../../packing/increments/leave-out.ts';
import { bundlePath, checkFileName, type Output } from '../../packing/output.ts';
import type { PackReport } from '../../packing/report.ts';
import { loadSigningKey } from '../../packing/signing-key.ts';
import type { FileJob } from '../../packing/to-files.ts';
import type { PackRequest } from './request.ts';
import type { PackSources } from './sources.ts';
import { deliveredTo, findAll, lockAndSign, offersIn, withFacts } from './steps.ts';

/** A pack of what a damage map lists. */
export interface PatchRequest extends PackRequest {
  readonly repairFile: string;
}

/**
 * Makes a patch for a damaged bundle: the parts of that bundle are found and proven once more, and
 * only what is damaged is fetched.
 * @throws BundleError as {@link readWantedPatch} and {@link patchContent} do
 */
export async function packPatch(
  output: Output,
  request: PatchRequest,
  sources: PackSources,
  context: Context,
): Promise<PackReport> {
  const { repairFile, dryRun, restart, volumeSize } = request;
  const patch = await readWantedPatch(repairFile);
  const own = await loadSigningKey(request.key, context.configFolder);
  const listed = await leftOutBefore(patch.wanted.bundleDigest, request.history);
  const delivered = listed === undefined ? await deliveredTo(request, context) : undefined;
  // With what the bundle lacks it would be another one, whether that can be had by now or not.
  const { without } = patch.wanted;
  const found = await findAll({ ...request, without, isWhole: true }, sources, context);
  const requires = listed ?? (delivered && leftOut(found, delivered));
  const content = patchContent(found, patch, requires);
  checkFileName(output, content.fileName);
  const offers = offersIn(found, request);
  const { name } = content.described.contents;
  const signing = await lockAndSign(request, found, { own, dryRun, name, volumeSize }, context);
  const job: FileJob = {
    ...{ ...request, ...content, ...signing },
    ...{ path: bundlePath(output, content.fileName), closure: found, isRestarted: restart },
  };
  const report = dryRun
    ? await planInPlace(job, context)
    : await writeInPlace(found, () => job, { restart }, context);
  return withFacts(report, { request, offers, described: undefined, delivered }, context);
}

/**
 * What the damaged bundle leaves out, where it was packed with this history. Nothing has to prove
 * that again: the patch is refused if the bundle would be another one.
 */
async function leftOutBefore(
  bundle: Digest,
  folder: string | undefined,
): Promise<readonly RequiredBundle[] | undefined> {
  try {
    const kept = folder === undefined ? undefined : await new History(folder).bundle(bundle);
    return kept && (kept.manifest.requires ?? []);
  } catch (error) {
    // A history that is damaged or cannot be read counts for nothing.
    if (error instanceof BundleError) return undefined;
    throw error;
  }
}
