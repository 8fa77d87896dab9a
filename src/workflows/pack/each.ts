import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import { withLock } from '../../files/lock.ts';
import { keepPacked } from '../../history/keep-packed.ts';
import type { Closure } from '../../kinds/closure.ts';
import {
  type BaselineRequest,
  readBaselinesOfEach,
  type SiteDelivered,
} from '../../opening/incomplete/baselines.ts';
import { wholeContent } from '../../packing/content.ts';
import type { BegunOf, FoundParts } from '../../packing/find-parts.ts';
import { packLeavingHoles } from '../../packing/incomplete.ts';
import { blobsTogether, planTogether, refuseNamesakes } from '../../packing/increments/each.ts';
import { leftOut } from '../../packing/increments/leave-out.ts';
import { refuseForeignLock } from '../../packing/lock/follow.ts';
import { nameBefore, nameOf } from '../../packing/naming.ts';
import { bundlePath, inOutput, type Output, parseOutput } from '../../packing/output.ts';
import type { EachReport, PackReport } from '../../packing/report.ts';
import { openSigned } from '../../packing/resume/begun-content.ts';
import { findBegunContent } from '../../packing/resume/find-begun-content.ts';
import { inItsPlace, placeOf } from '../../packing/resume/replacing.ts';
import { loadSigningKey } from '../../packing/signing-key.ts';
import { type FileJob, packToFiles } from '../../packing/to-files.ts';
import type { PackRequest } from './request.ts';
import { type PackSources, withSources } from './sources.ts';
import { findAll, lockAndSign, offersIn, tellNeeds, withFacts } from './steps.ts';

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
  const work = (): Promise<EachReport> =>
    withSources(request, context, (sources) => packAll(output, request, sources, context));
  return request.dryRun ? work() : inOutput(output, context, work);
}

async function packAll(
  output: Output,
  request: PackEachRequest,
  sources: PackSources,
  context: Context,
): Promise<EachReport> {
  const { dryRun, restart, volumeSize } = request;
  const { atHand } = sources;
  const own = await loadSigningKey(request.key, context.configFolder);
  const sites = await readBaselinesOfEach(request.baselines, context);
  const begunOf: BegunOf = async (parts) => {
    if (own === undefined || restart) return undefined;
    for (const { site } of sites) {
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
  const found = await findAll(request, sources, context, begunOf);
  const name = nameOf(request, output, found);
  const offers = offersIn(found, request);
  tellNeeds(found, context);
  const signing = await lockAndSign(request, found, { own, dryRun, name, volumeSize }, context);
  const jobOf = (of: Closure, { site, delivered }: SiteDelivered): FileJob => {
    const closure = atHand.before(of);
    const fileName = nameOf({ ...request, site }, output, closure);
    const content = wholeContent(closure, fileName, leftOut(closure, delivered));
    const path = bundlePath(output, fileName);
    return { ...request, ...content, ...signing, path, closure, isRestarted: restart };
  };
  const told = async (
    report: PackReport,
    { described }: FileJob,
    { site, delivered }: SiteDelivered,
  ): Promise<EachReport['bundles'][number]> =>
    withFacts({ ...report, site }, { request, offers, described, delivered }, context);

  const jobs: FileJob[] = [];
  for (const one of sites) {
    const job = jobOf(found, one);
    jobs.push({ ...job, at: await placeOf(job) });
  }
  refuseNamesakes(jobs);
  const plans = await planTogether(jobs, dryRun ? context : { ...context, observe: silent });
  const bundles: EachReport['bundles'][number][] = [];
  let damaged: BundleError | undefined;
  for (const [index, one] of sites.entries()) {
    if (dryRun) {
      const plan = { ...plans[index]!, isIncompleteAllowed: request.incomplete };
      bundles.push(await told(plan, jobs[index]!, one));
      continue;
    }
    const of = (closure: Closure): FileJob => jobOf(closure, one);
    const report = await writeOne(found, of, request, context);
    const packed = of(report.closure);
    await keepPacked(packed.described, report.closure, request, context);
    bundles.push(await told(report, packed, one));
    // What is damaged was fetched for this one, so that this one at least is whole.
    if (damaged !== undefined) throw damaged;
    if (index + 1 === sites.length) continue;
    const paths = report.volumes.map((volume) => volume.path);
    const reader = await openSigned(paths, signing.key);
    const path = paths.join(', ');
    if (reader === undefined)
      throw damagedSince(path, new BundleError('BUNDLE_UNUSABLE', 'it cannot be read again'));
    const onDamaged = (error: BundleError): void => {
      damaged ??= damagedSince(path, error);
    };
    atHand.add(reader, { onDamaged, close: async () => reader.close() });
  }
  return { bundles, together: blobsTogether(jobs) };
}

/** A bundle that this run has written whole, and that is not whole any more. */
function damagedSince(path: string, error: BundleError): BundleError {
  const told = error.message.includes(path) ? error.message : `${path}: ${error.message}`;
  return new BundleError(
    error.code,
    `a bundle of this run was damaged after it was written: ${told}`,
    {
      ...{ subject: path, expected: error.expected, got: error.got, cause: error },
      hint:
        'The medium or the disk may be failing. Remove this bundle and run the same command again, ' +
        'if need be with another folder. `bundle verify` says whether the others are whole.',
    },
  );
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
