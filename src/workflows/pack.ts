import type { Writable } from 'node:stream';

import type { RequiredBundle } from '../bundle/format/manifest.ts';
import type { Context } from '../core/context.ts';
import { BundleError } from '../core/errors.ts';
import { withLock } from '../files/lock.ts';
import type { Delivered } from '../history/baselines.ts';
import { keepPacked } from '../history/keep-packed.ts';
import type { Closure } from '../kinds/closure.ts';
import { offersOf, type OffersRequest } from '../kinds/graph/offers.ts';
import { signatureFacts } from '../packing/signature-facts.ts';
import { needsTrustedPacker } from '../kinds/statements.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import { type PackedContent, patchContent, wholeContent } from '../packing/content.ts';
import {
  findLocked,
  type LockableRequest,
  lockedFacts,
  refuseForeignLock,
  writeLock,
} from '../packing/lock/follow.ts';
import { type IncrementFacts, incrementFacts, leftOut } from '../packing/increments/leave-out.ts';
import { type IncompleteJob, packLeavingHoles } from '../packing/incomplete.ts';
import { nameBefore, nameOf, type NameRequest } from '../packing/naming.ts';
import {
  bundlePath,
  checkFileName,
  inOutput,
  type Output,
  parseOutput,
} from '../packing/output.ts';
import type { LockedFacts } from '../packing/lock/lock.ts';
import { blobsTogether, planTogether, refuseNamesakes } from '../packing/increments/each.ts';
import type { EachReport, PackReport } from '../packing/report.ts';
import { BundlesAtHand } from '../packing/resume/at-hand.ts';
import { type BegunContent, openSigned, type PartKey } from '../packing/resume/begun-content.ts';
import { findBegunContent } from '../packing/resume/find-begun-content.ts';
import { firstKey, type KeySource, loadSigningKey } from '../packing/signing-key.ts';
import { inItsPlace, placeOf } from '../packing/resume/replacing.ts';
import { type FileJob, packToFiles, planFiles } from '../packing/to-files.ts';
import { packToPipe } from '../packing/to-pipe.ts';
import {
  type BaselineRequest,
  readBaselines,
  readBaselinesOfEach,
  type SiteDelivered,
} from '../opening/incomplete/baselines.ts';

/** A pack: which parts, from where, and the key that signs them. */
export interface PackIntoPipeRequest extends LockableRequest, NameRequest {
  readonly key: KeySource;
  readonly network: NetworkOptions;
  /** Bytes per second at which blobs are fetched at most. */
  readonly limitRate?: number | undefined;
  /** Which updates the update service of the closed side has to offer. */
  readonly offers?: OffersRequest | undefined;
  /** What may be left out, since its site has it. */
  readonly baselines?: BaselineRequest | undefined;
  /** The folder in which it is kept what the bundle lists, if it is to be kept. */
  readonly history?: string | undefined;
}

export interface PackRequest
  extends PackIntoPipeRequest, Pick<FileJob, 'volumeSize' | 'stopAfter' | 'restart'> {
  /** A folder, or a file that is called like a bundle. */
  readonly output: string;
  /** A damage map: then only what it lists is packed, as a patch for the bundle that it is of. */
  readonly repairFile?: string | undefined;
  readonly dryRun: boolean;
}

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
  return withNetwork(request, context, async (network) => {
    const own = await loadSigningKey(request.key, context.configFolder);
    const begunOf = async (parts: readonly PartKey[]): Promise<BegunContent | undefined> => {
      const name = nameBefore(named, output);
      if (own === undefined || name === undefined || request.restart) return undefined;
      const path = bundlePath(output, name);
      const at = await placeOf({ path, restart: false });
      const mayBeElsewhere = request.stopAfter !== undefined;
      const mayLack = request.incomplete === true;
      const begun = { path, at, parts, key: own, mayBeElsewhere, mayLack };
      return findBegunContent(begun, context);
    };
    const isPatch = repairFile !== undefined;
    const delivered = await deliveredTo(request, context);
    const closure = await findLocked(request, network, context, isPatch ? undefined : begunOf);
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
  const { dryRun, restart } = request;
  const atHand = new BundlesAtHand();
  return withNetwork(request, context, async (network) => {
    const own = await loadSigningKey(request.key, context.configFolder);
    const ofSites = await readBaselinesOfEach(request.baselines, context);
    const begunOf = async (parts: readonly PartKey[]): Promise<BegunContent | undefined> => {
      if (own === undefined || restart) return undefined;
      for (const { site } of ofSites) {
        const name = nameBefore({ ...request, site }, output);
        if (name === undefined) return undefined;
        const path = bundlePath(output, name);
        const asked = { path, parts, key: own, mayBeElsewhere: false };
        const begun = await findBegunContent(asked, context);
        if (begun !== undefined) return begun;
      }
      return undefined;
    };
    const found = await findLocked(request, network, context, begunOf);
    tellNeeds(found, context);
    const facts = factsOf(request, { name: nameOf(request, output, found) });
    const { volumeSize } = request;
    const sized = volumeSize === undefined ? facts : { ...facts, volumeSize };
    await writeLock(request, found, sized, context);
    const signing = own
      ? { key: own, made: undefined }
      : await firstKey(request.key, dryRun, context);
    const offers = request.offers && offersOf(found.parts, request.offers);
    const jobOf = (of: Closure, { site, delivered }: SiteDelivered): FileJob => {
      const closure = atHand.before(of);
      const name = nameOf({ ...request, site }, output, closure);
      const content = wholeContent(closure, name, leftOut(closure, delivered));
      return { ...request, ...content, ...signing, path: bundlePath(output, name), closure };
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
    const jobs = ofSites.map((one) => jobOf(found, one));
    refuseNamesakes(jobs);
    const planned = await planTogether(jobs, dryRun ? context : { ...context, observe: silent });
    const together = blobsTogether(jobs);
    if (dryRun) {
      const isIncompleteAllowed = request.incomplete;
      const bundles: EachReport['bundles'][number][] = [];
      for (const [at, one] of ofSites.entries()) {
        const told = await toldOf(planned[at]!, jobs[at]!, one);
        bundles.push({ ...told, isIncompleteAllowed });
      }
      return { bundles, together };
    }
    const bundles: EachReport['bundles'][number][] = [];
    for (const one of ofSites) {
      const job = jobOf(found, one);
      const { path } = job;
      const incomplete = { path, key: signing.key, restart, isCarriedAway: false };
      const report = await withLock(path, context.signal, (signal) =>
        request.incomplete === true
          ? packLeavingHoles(
              found,
              { ...incomplete, jobOf: (of) => jobOf(of, one) },
              { ...context, signal },
            )
          : packToFiles(job, { ...context, signal }),
      );
      const done = jobOf(report.closure, one);
      await keepPacked(done.described, report.closure, request, context);
      const paths = report.volumes.map((volume) => volume.path);
      const reader = await openSigned(paths, signing.key);
      if (reader !== undefined) atHand.add(reader);
      bundles.push(await toldOf(report, done, one));
    }
    return { bundles, together };
  }).finally(() => atHand.close());
}

/** Makes a bundle, and writes it into a pipe instead of files. */
export async function packIntoPipe(
  request: PackIntoPipeRequest,
  output: Writable,
  context: Context,
): Promise<PackReport> {
  await refuseForeignLock(request);
  return withNetwork(request, context, async (network) => {
    const own = await loadSigningKey(request.key, context.configFolder);
    const delivered = await deliveredTo(request, context);
    const closure = await findLocked(request, network, context);
    const name = nameOf({ ...request, isIncrement: delivered !== undefined }, NO_FILE, closure);
    const content = wholeContent(closure, name, delivered && leftOut(closure, delivered));
    const { described } = content;
    const offers = request.offers && offersOf(closure.parts, request.offers);
    tellNeeds(closure, context);
    await writeLock(request, closure, factsOf(request, { name }), context);
    const key = own ?? (await firstKey(request.key, false, context)).key;
    const { limitRate } = request;
    const report = await packToPipe({ described, key, closure, limitRate }, output, context);
    await keepPacked(described, closure, request, context);
    const signatures = await signatureFacts(closure, request, context);
    const increment = factsOfIncrement(content, closure, delivered);
    return { ...report, offers, signatures, increment };
  });
}

/** @throws BundleError as {@link readBaselines} does */
async function deliveredTo(
  { baselines }: PackIntoPipeRequest,
  context: Context,
): Promise<Delivered | undefined> {
  return baselines && (await readBaselines(baselines, context));
}

function factsOfIncrement(
  { described }: Pick<PackedContent, 'described'>,
  closure: Closure,
  delivered: Delivered | undefined,
): IncrementFacts | undefined {
  return delivered && incrementFacts(described.manifest, closure, delivered.sites);
}

function factsOf(
  request: PackIntoPipeRequest,
  own: Pick<LockedFacts, 'name' | 'volumeSize'>,
): LockedFacts {
  const { offers } = request;
  return lockedFacts(request, { ...own, ...(offers !== undefined && { offers }) });
}

/** What first use on the closed side will refuse is better told on this side. */
function tellNeeds({ content }: Closure, { observe }: Context): void {
  const [cut, ...others] = content.images.filter(({ isSparse }) => isSparse === true);
  if (cut !== undefined) {
    const facts = { images: others.length + 1, image: cut.name };
    observe({ type: 'noticed', code: 'lists-cut', ...facts });
  }
  const [first, ...more] = needsTrustedPacker(content);
  if (first === undefined) return;
  const facts = { images: more.length + 1, image: first.name, cause: first.why };
  observe({ type: 'noticed', code: 'needs-trusted-packer', ...facts });
}

const silent = (): void => undefined;

const NO_FILE: Output = { folder: '', name: undefined };

async function withNetwork<T>(
  request: PackIntoPipeRequest,
  context: Context,
  work: (network: Network) => Promise<T>,
): Promise<T> {
  const network = await Network.open(request.network, context);
  try {
    return await work(network);
  } finally {
    await network.close();
  }
}
