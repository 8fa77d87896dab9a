import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import { withLock } from '../../files/lock.ts';
import { keepPacked } from '../../history/keep-packed.ts';
import type { Closure } from '../../kinds/closure.ts';
import { offersOf } from '../../kinds/graph/offers.ts';
import type { Network } from '../../network/network.ts';
import { signatureFacts } from '../../packing/signature-facts.ts';
import { wholeContent } from '../../packing/content.ts';
import { findLocked, refuseForeignLock, writeLock } from '../../packing/lock/follow.ts';
import { leftOut } from '../../packing/increments/leave-out.ts';
import type { FoundParts } from '../../packing/find-parts.ts';
import { packLeavingHoles } from '../../packing/incomplete.ts';
import { nameBefore, nameOf } from '../../packing/naming.ts';
import { bundlePath, inOutput, type Output, parseOutput } from '../../packing/output.ts';
import { blobsTogether, planTogether, refuseNamesakes } from '../../packing/increments/each.ts';
import type { EachReport, PackReport } from '../../packing/report.ts';
import type { BundlesAtHand } from '../../packing/resume/at-hand.ts';
import { type BegunContent, openSigned, type PartKey } from '../../packing/resume/begun-content.ts';
import { findBegunContent } from '../../packing/resume/find-begun-content.ts';
import { inItsPlace, placeOf } from '../../packing/resume/replacing.ts';
import { firstKey, loadSigningKey } from '../../packing/signing-key.ts';
import { type FileJob, packToFiles } from '../../packing/to-files.ts';
import {
  type BaselineRequest,
  readBaselinesOfEach,
  type SiteDelivered,
} from '../../opening/incomplete/baselines.ts';
import { type PackRequest, factsOfIncrement, factsOf, tellNeeds, withSources } from './request.ts';

/** A pack of a bundle for each of several sites. */
export interface PackEachRequest extends Omit<PackRequest, 'repairFile' | 'stopAfter'> {
  readonly baselines: BaselineRequest;
}

/**
 * Makes a bundle for each of several sites, one after another, without what that site has. What an
 * earlier one of them holds is taken from its file, so that the sources give each blob once.
 */
export async function packEach(request: PackEachRequest, context: Context): Promise<EachReport> {
  const output = await parseOutput(request.output);
  if (output.name !== undefined) {
    throw new BundleError('USAGE', '--each makes several bundles, and -o names one file', {
      hint: 'Give -o a folder. With --name NAME, each bundle is called NAME-SITE.',
    });
  }
  await refuseForeignLock(request);
  const work = (): Promise<EachReport> => packEachInto(output, request, context);
  return request.dryRun ? work() : inOutput(output, context, work);
}

async function packEachInto(
  output: Output,
  request: PackEachRequest,
  context: Context,
): Promise<EachReport> {
  const { dryRun, restart, volumeSize } = request;
  const work = async (network: Network, atHand: BundlesAtHand): Promise<EachReport> => {
    const own = await loadSigningKey(request.key, context.configFolder);
    const ofSites = await readBaselinesOfEach(request.baselines, context);
    const begunOf = async (parts: readonly PartKey[]): Promise<BegunContent | undefined> => {
      if (own === undefined || restart) return undefined;
      for (const { site } of ofSites) {
        const name = nameBefore({ ...request, site }, output);
        if (name === undefined) return undefined;
        const path = bundlePath(output, name);
        const mayLack = request.incomplete === true;
        const asked = { path, parts, key: own, mayBeElsewhere: false, mayLack };
        const begun = await findBegunContent(asked, context);
        if (begun !== undefined) return begun;
      }
      return undefined;
    };
    const found = await findLocked(request, network, context, begunOf);
    tellNeeds(found, context);
    const sized = volumeSize === undefined ? {} : { volumeSize };
    const locked = factsOf(request, { name: nameOf(request, output, found), ...sized });
    await writeLock(request, found, locked, context);
    const signing = own
      ? { key: own, made: undefined }
      : await firstKey(request.key, dryRun, context);
    const offers = request.offers && offersOf(found.parts, request.offers);
    const jobOf = (of: Closure, { site, delivered }: SiteDelivered): FileJob => {
      const closure = atHand.before(of);
      const name = nameOf({ ...request, site }, output, closure);
      const path = bundlePath(output, name);
      const content = wholeContent(closure, name, leftOut(closure, delivered));
      return { ...request, ...content, ...signing, path, closure, isRestarted: restart };
    };
    const toldOf = async (
      report: PackReport,
      job: FileJob,
      { site, delivered }: SiteDelivered,
    ): Promise<EachReport['bundles'][number]> => {
      const increment = factsOfIncrement(job, report.closure, delivered);
      const signatures = await signatureFacts(report.closure, request, context);
      return { ...report, site, offers, signatures, increment };
    };
    const jobs: FileJob[] = [];
    for (const one of ofSites) {
      const job = jobOf(found, one);
      jobs.push({ ...job, at: await placeOf({ path: job.path, restart }) });
    }
    refuseNamesakes(jobs);
    const planned = await planTogether(jobs, dryRun ? context : { ...context, observe: silent });
    const together = blobsTogether(jobs);
    const bundles: EachReport['bundles'][number][] = [];
    for (const [index, one] of ofSites.entries()) {
      if (dryRun) {
        const told = await toldOf(planned[index]!, jobs[index]!, one);
        bundles.push({ ...told, isIncompleteAllowed: request.incomplete });
        continue;
      }
      const of = (closure: Closure): FileJob => jobOf(closure, one);
      const report = await writeOne(found, of, request, context);
      const done = of(report.closure);
      await keepPacked(done.described, report.closure, request, context);
      const paths = report.volumes.map((volume) => volume.path);
      const reader = await openSigned(paths, signing.key);
      if (reader !== undefined) atHand.add(reader);
      bundles.push(await toldOf(report, done, one));
    }
    return { bundles, together };
  };
  return withSources(request, context, work);
}

/** @param jobOf the bundle of a site, also of less content: without images that cannot be had. */
async function writeOne(
  found: FoundParts,
  jobOf: (closure: Closure) => FileJob,
  { restart, incomplete }: PackEachRequest,
  context: Context,
): Promise<PackReport> {
  const job = jobOf(found);
  const { path, key } = job;
  return withLock(path, context.signal, (signal) =>
    inItsPlace({ path, restart }, context, (at) => {
      const own = { ...context, signal };
      if (incomplete !== true) return packToFiles({ ...job, at }, own);
      const placed = (of: Closure): FileJob => ({ ...jobOf(of), at });
      const leaving = { path: at, key, restart, isCarriedAway: false, jobOf: placed };
      return packLeavingHoles(found, leaving, own);
    }),
  );
}

const silent = (): void => undefined;
