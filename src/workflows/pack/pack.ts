import type { RequiredBundle } from '../../bundle/format/manifest.ts';
import type { Context } from '../../core/context.ts';
import { withLock } from '../../files/lock.ts';
import { keepPacked } from '../../history/keep-packed.ts';
import type { Closure } from '../../kinds/closure.ts';
import { offersOf } from '../../kinds/graph/offers.ts';
import { signatureFacts } from '../../packing/signature-facts.ts';
import { type PackedContent, patchContent, wholeContent } from '../../packing/content.ts';
import { findLocked, refuseForeignLock, writeLock } from '../../packing/lock/follow.ts';
import { type IncrementFacts, leftOut } from '../../packing/increments/leave-out.ts';
import { type IncompleteJob, packLeavingHoles } from '../../packing/incomplete.ts';
import { nameBefore, nameOf } from '../../packing/naming.ts';
import {
  bundlePath,
  checkFileName,
  inOutput,
  type Output,
  parseOutput,
} from '../../packing/output.ts';
import type { PackReport } from '../../packing/report.ts';
import type { BegunContent, PartKey } from '../../packing/resume/begun-content.ts';
import { findBegunContent } from '../../packing/resume/find-begun-content.ts';
import { firstKey, loadSigningKey } from '../../packing/signing-key.ts';
import { inItsPlace, placeOf } from '../../packing/resume/replacing.ts';
import { type FileJob, packToFiles, planFiles } from '../../packing/to-files.ts';
import {
  type PackRequest,
  deliveredTo,
  factsOfIncrement,
  factsOf,
  tellNeeds,
  withSources,
} from './request.ts';

/**
 * Makes a bundle: finds and proves its parts, plans it to the byte, signs it, then fetches and
 * appends every blob once.
 */
export async function pack(request: PackRequest, context: Context): Promise<PackReport> {
  const output = await parseOutput(request.output);
  await refuseForeignLock(request);
  const work = (): Promise<PackReport> => packInto(output, request, context);
  return request.dryRun ? work() : inOutput(output, context, work);
}

async function packInto(
  output: Output,
  request: PackRequest,
  context: Context,
): Promise<PackReport> {
  const { repairFile, dryRun } = request;
  const named = { ...request, isIncrement: request.baselines !== undefined };
  return withSources(request, context, async (network, atHand) => {
    const own = await loadSigningKey(request.key, context.configFolder);
    const begunOf = async (parts: readonly PartKey[]): Promise<BegunContent | undefined> => {
      const name = nameBefore(named, output);
      if (own === undefined || name === undefined || request.restart) return undefined;
      const path = bundlePath(output, name);
      const mayBeElsewhere = request.stopAfter !== undefined;
      const mayLack = request.incomplete === true;
      const begun = { path, parts, key: own, mayBeElsewhere, mayLack };
      return findBegunContent(begun, context);
    };
    const isPatch = repairFile !== undefined;
    const delivered = await deliveredTo(request, context);
    const closure = atHand.before(
      await findLocked(request, network, context, isPatch ? undefined : begunOf),
    );
    const without = (of: Closure): readonly RequiredBundle[] =>
      delivered === undefined ? [] : leftOut(of, delivered);
    const contentOf = (of: Closure): PackedContent =>
      wholeContent(of, nameOf(named, output, of), without(of));
    const content = isPatch
      ? await patchContent(closure, repairFile, without(closure))
      : contentOf(closure);
    const increment = (of: Closure): IncrementFacts | undefined =>
      isPatch ? undefined : factsOfIncrement(contentOf(of), of, delivered);
    checkFileName(output, content.fileName);
    const offers = request.offers && offersOf(closure.parts, request.offers);
    if (!isPatch) tellNeeds(closure, context);
    const { name } = content.described.contents;
    const { volumeSize } = request;
    const sized = volumeSize === undefined ? {} : { volumeSize };
    await writeLock(request, closure, factsOf(request, { name, ...sized }), context);
    const signing = own
      ? { key: own, made: undefined }
      : await firstKey(request.key, dryRun, context);
    const path = bundlePath(output, content.fileName);
    const { restart } = request;
    const placing = { path, restart };
    const common = { path, closure, isRestarted: restart };
    const job: FileJob = { ...request, ...content, ...signing, ...common };
    if (dryRun) {
      const isIncompleteAllowed = request.incomplete;
      const signatures = await signatureFacts(closure, request, context);
      const facts = { offers, signatures, isIncompleteAllowed, increment: increment(closure) };
      const at = await placeOf(placing);
      return { ...(await planFiles({ ...job, at }, context, isIncompleteAllowed)), ...facts };
    }
    const writeAt = (at: string, signal: AbortSignal): Promise<PackReport> => {
      const placed = { ...job, at };
      if (request.incomplete !== true || isPatch)
        return packToFiles(placed, { ...context, signal });
      const incomplete: IncompleteJob = {
        ...{ path: at, key: signing.key, restart },
        isCarriedAway: request.stopAfter !== undefined,
        jobOf: (of) => ({ ...placed, ...contentOf(of), closure: of }),
      };
      return packLeavingHoles(closure, incomplete, { ...context, signal });
    };
    const report = await withLock(path, context.signal, (signal) =>
      inItsPlace(placing, context, (at) => writeAt(at, signal)),
    );
    if (!isPatch && report.left === 0)
      await keepPacked(contentOf(report.closure).described, report.closure, request, context);
    const signatures = await signatureFacts(report.closure, request, context);
    return { ...report, offers, signatures, increment: increment(report.closure) };
  });
}
