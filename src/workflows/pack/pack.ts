import type { Context } from '../../core/context.ts';
import { keepPacked } from '../../history/keep-packed.ts';
import type { Closure } from '../../kinds/closure.ts';
import { type PackedContent, wholeContent } from '../../packing/content.ts';
import { type JobOf, planInPlace, writeInPlace } from '../../packing/in-place.ts';
import { leftOut } from '../../packing/increments/leave-out.ts';
import { refuseForeignLock } from '../../packing/lock/follow.ts';
import { nameBefore, nameOf } from '../../packing/naming.ts';
import {
  bundlePath,
  checkFileName,
  inOutput,
  type Output,
  parseOutput,
} from '../../packing/output.ts';
import type { PackReport } from '../../packing/report.ts';
import { loadSigningKey } from '../../packing/signing-key.ts';
import { packPatch } from './patch.ts';
import type { PackRequest } from './request.ts';
import { type PackSources, withSources } from './sources.ts';
import {
  begunAt,
  deliveredTo,
  findAll,
  lockAndSign,
  offersIn,
  tellNeeds,
  withFacts,
} from './steps.ts';

/**
 * Makes a bundle: finds and proves its parts, plans it to the byte, signs it, then fetches and
 * appends every blob once. With a damage map it makes a patch for one.
 */
export async function pack(request: PackRequest, context: Context): Promise<PackReport> {
  const output = await parseOutput(request.output, request.name);
  await refuseForeignLock(request);
  const { repairFile } = request;
  const work = (): Promise<PackReport> =>
    withSources(request, context, (sources) =>
      repairFile === undefined
        ? packWhole(output, request, sources, context)
        : packPatch(output, { ...request, repairFile }, sources, context),
    );
  return request.dryRun ? work() : inOutput(output, context, work);
}

async function packWhole(
  output: Output,
  request: PackRequest,
  sources: PackSources,
  context: Context,
): Promise<PackReport> {
  const { dryRun, restart, incomplete, volumeSize } = request;
  const named = { ...request, isIncrement: request.baselines !== undefined };
  const own = await loadSigningKey(request.key, context.configFolder);
  const delivered = await deliveredTo(request, context);
  const begun = begunAt({ output, names: [nameBefore(named, output)] }, own, request, context);
  const found = await findAll(request, sources, context, begun);
  const contentOf = (of: Closure): PackedContent =>
    wholeContent(of, nameOf(named, output, of), delivered && leftOut(of, delivered));
  const { fileName: name } = contentOf(found);
  checkFileName(output, name);
  const offers = offersIn(found, request);
  tellNeeds(found, context);
  const signing = await lockAndSign(request, found, { own, dryRun, name, volumeSize }, context);
  const written = { ...request, ...signing, path: bundlePath(output, name), isRestarted: restart };
  const jobOf: JobOf = (closure) => ({ ...written, ...contentOf(closure), closure });
  const report = dryRun
    ? await planInPlace(jobOf(found), context, incomplete)
    : await writeInPlace(found, jobOf, request, context);
  const { closure, left } = report;
  const { described } = jobOf(closure);
  if (!dryRun && left === 0) await keepPacked(described, closure, request, context);
  return withFacts(report, { request, offers, described, delivered }, context);
}
