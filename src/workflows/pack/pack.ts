import type { Context } from '../../core/context.ts';
import { withLock } from '../../files/lock.ts';
import { keepPacked } from '../../history/keep-packed.ts';
import type { Closure } from '../../kinds/closure.ts';
import { type PackedContent, wholeContent } from '../../packing/content.ts';
import type { BegunOf } from '../../packing/find-parts.ts';
import { packLeavingHoles } from '../../packing/incomplete.ts';
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
import { findBegunContent } from '../../packing/resume/find-begun-content.ts';
import { inItsPlace, placeOf } from '../../packing/resume/replacing.ts';
import { loadSigningKey } from '../../packing/signing-key.ts';
import { type FileJob, packToFiles, planFiles } from '../../packing/to-files.ts';
import { packPatch } from './patch.ts';
import type { PackRequest } from './request.ts';
import { type PackSources, withSources } from './sources.ts';
import { deliveredTo, findAll, lockAndSign, offersIn, tellNeeds, withFacts } from './steps.ts';

/**
 * Makes a bundle: finds and proves its parts, plans it to the byte, signs it, then fetches and
 * appends every blob once. With a damage map it makes a patch for one.
 */
export async function pack(request: PackRequest, context: Context): Promise<PackReport> {
  const output = await parseOutput(request.output);
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
  const { dryRun, restart, volumeSize } = request;
  const named = { ...request, isIncrement: request.baselines !== undefined };
  const own = await loadSigningKey(request.key, context.configFolder);
  const begunOf: BegunOf = async (parts) => {
    const name = nameBefore(named, output);
    if (own === undefined || name === undefined || restart) return undefined;
    const mayBeElsewhere = request.stopAfter !== undefined;
    const mayLack = request.incomplete === true;
    const begun = { path: bundlePath(output, name), parts, key: own, mayBeElsewhere, mayLack };
    return findBegunContent(begun, context);
  };
  const delivered = await deliveredTo(request, context);
  const found = await findAll(request, sources, context, begunOf);
  const contentOf = (of: Closure): PackedContent =>
    wholeContent(of, nameOf(named, output, of), delivered && leftOut(of, delivered));
  const content = contentOf(found);
  const { fileName: name } = content;
  checkFileName(output, name);
  const offers = offersIn(found, request);
  tellNeeds(found, context);
  const signing = await lockAndSign(request, found, { own, dryRun, name, volumeSize }, context);
  const path = bundlePath(output, name);
  const job: FileJob = {
    ...{ ...request, ...content, ...signing },
    ...{ path, closure: found, isRestarted: restart },
  };
  const told = async (report: PackReport, { described }: PackedContent): Promise<PackReport> =>
    withFacts(report, { request, offers, described, delivered }, context);
  if (dryRun) {
    const at = await placeOf(job);
    const plan = await planFiles({ ...job, at }, context, request.incomplete);
    return told({ ...plan, isIncompleteAllowed: request.incomplete }, content);
  }
  const report = await withLock(path, context.signal, (signal) =>
    inItsPlace(job, context, (at) => {
      const locked = { ...context, signal };
      const placed = { ...job, at };
      if (request.incomplete !== true) return packToFiles(placed, locked);
      const leaving = {
        ...{ path: at, key: signing.key, restart },
        isCarriedAway: request.stopAfter !== undefined,
        jobOf: (of: Closure): FileJob => ({ ...placed, ...contentOf(of), closure: of }),
      };
      return packLeavingHoles(found, leaving, locked);
    }),
  );
  const packed = contentOf(report.closure);
  if (report.left === 0) await keepPacked(packed.described, report.closure, request, context);
  return told(report, packed);
}
