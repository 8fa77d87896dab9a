import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import { keepPacked } from '../../history/keep-packed.ts';
import { type BaselineRequest, readBaselinesOfEach } from '../../opening/incomplete/baselines.ts';
import { wholeContent } from '../../packing/content.ts';
import type { FoundParts } from '../../packing/find-parts.ts';
import { type JobOf, writeInPlace } from '../../packing/in-place.ts';
import { blobsTogether, planTogether, refuseNamesakes } from '../../packing/increments/each.ts';
import { leftOut } from '../../packing/increments/leave-out.ts';
import { refuseForeignLock } from '../../packing/lock/follow.ts';
import { nameBefore, nameOf } from '../../packing/naming.ts';
import { bundlePath, inOutput, type Output, parseOutput } from '../../packing/output.ts';
import type { EachReport, PackReport } from '../../packing/report.ts';
import type { BundlesAtHand } from '../../packing/resume/at-hand.ts';
import { openSigned } from '../../packing/resume/begun-content.ts';
import { placeOf } from '../../packing/resume/replacing.ts';
import { loadSigningKey } from '../../packing/signing-key.ts';
import type { FileJob } from '../../packing/to-files.ts';
import type { PackRequest } from './request.ts';
import { type PackSources, withSources } from './sources.ts';
import { begunAt, findAll, lockAndSign, offersIn, tellNeeds, withFacts } from './steps.ts';

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
  const names = sites.map(({ site }) => nameBefore({ ...request, site }, output));
  const begun = begunAt({ output, names }, own, request, context);
  const found = await findAll(request, sources, context, begun);
  const name = nameOf(request, output, found);
  const offers = offersIn(found, request);
  tellNeeds(found, context);
  const signing = await lockAndSign(request, found, { own, dryRun, name, volumeSize }, context);
  const jobsOf = sites.map(({ site, delivered }): JobOf => (of) => {
    const closure = atHand.before(of);
    const fileName = nameOf({ ...request, site }, output, closure);
    const content = wholeContent(closure, fileName, leftOut(closure, delivered));
    const path = bundlePath(output, fileName);
    return { ...request, ...content, ...signing, path, closure, isRestarted: restart };
  });
  const jobs = jobsOf.map((jobOf) => jobOf(found));
  refuseNamesakes(jobs);
  const observe = dryRun ? context.observe : silent;
  const plans = await planTogether(await inTheirPlaces(jobs), { ...context, observe });
  const reports = dryRun
    ? plans.map((plan) => ({ ...plan, isIncompleteAllowed: request.incomplete }))
    : await writeAll(found, jobsOf, { request, atHand }, context);
  const bundles: EachReport['bundles'][number][] = [];
  for (const [index, { site, delivered }] of sites.entries()) {
    const report = reports[index]!;
    const { described } = jobsOf[index]!(report.closure);
    const facts = { request, offers, described, delivered };
    bundles.push(await withFacts({ ...report, site }, facts, context));
  }
  return { bundles, together: blobsTogether(jobs) };
}

async function inTheirPlaces(jobs: readonly FileJob[]): Promise<readonly FileJob[]> {
  const placed: FileJob[] = [];
  for (const job of jobs) placed.push({ ...job, at: await placeOf(job) });
  return placed;
}

/** What the bundles of sites are written with. */
interface Writing {
  readonly request: PackEachRequest;
  /** Each bundle is a source of those that are written after it. */
  readonly atHand: BundlesAtHand;
}

/** @throws BundleError as {@link writeInPlace} does; also for one that was damaged meanwhile */
async function writeAll(
  found: FoundParts,
  jobsOf: readonly JobOf[],
  { request, atHand }: Writing,
  context: Context,
): Promise<readonly PackReport[]> {
  const reports: PackReport[] = [];
  let damaged: BundleError | undefined;
  for (const jobOf of jobsOf) {
    const report = await writeInPlace(found, jobOf, request, context);
    const { key, described } = jobOf(report.closure);
    await keepPacked(described, report.closure, request, context);
    reports.push(report);
    // What is damaged was fetched for this one, so that this one at least is whole.
    if (damaged !== undefined) throw damaged;
    if (reports.length === jobsOf.length) break;
    const paths = report.volumes.map((volume) => volume.path);
    const path = paths.join(', ');
    const reader = await openSigned(paths, key);
    if (reader === undefined)
      throw damagedSince(path, new BundleError('BUNDLE_UNUSABLE', 'it cannot be read again'));
    const onDamaged = (error: BundleError): void => {
      damaged ??= damagedSince(path, error);
    };
    atHand.add(reader, { onDamaged, close: async () => reader.close() });
  }
  return reports;
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
        'if need be with another folder. bundle verify says whether the others are whole.',
    },
  );
}

const silent = (): void => undefined;
