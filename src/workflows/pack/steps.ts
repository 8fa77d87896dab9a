import type { DescribedBundle } from '../../bundle/format/plan.ts';
import type { Context } from '../../core/context.ts';
import type { Delivered } from '../../history/baselines.ts';
import type { Closure } from '../../kinds/closure.ts';
import { type Offers, offersOf } from '../../kinds/graph/offers.ts';
import { needsTrustedPacker } from '../../kinds/statements.ts';
import { readBaselines } from '../../opening/incomplete/baselines.ts';
import type { BegunOf, FoundParts } from '../../packing/find-parts.ts';
import { incrementFacts } from '../../packing/increments/leave-out.ts';
import { findLocked, lockedFacts, writeLock } from '../../packing/lock/follow.ts';
import { bundlePath, type Output } from '../../packing/output.ts';
import type { PackReport } from '../../packing/report.ts';
import { findBegunContent } from '../../packing/resume/find-begun-content.ts';
import { signatureFacts } from '../../packing/signature-facts.ts';
import { firstKey, type Signing } from '../../packing/signing-key.ts';
import type { SigningKey } from '../../trust/keys.ts';
import type { PackIntoPipeRequest, PackRequest } from './request.ts';
import type { PackSources } from './sources.ts';

// Every way to pack takes these steps, in this order.

/** @throws BundleError as {@link readBaselines} does */
export async function deliveredTo(
  { baselines }: PackIntoPipeRequest,
  context: Context,
): Promise<Delivered | undefined> {
  return baselines && (await readBaselines(baselines, context));
}

/**
 * Finds the parts and proves them. What bundles on disk hold of them is taken from there.
 * @throws BundleError as {@link findLocked} does
 */
export async function findAll(
  request: PackIntoPipeRequest,
  { network, atHand }: PackSources,
  context: Context,
  begunOf?: BegunOf,
): Promise<FoundParts> {
  return atHand.before(await findLocked(request, network, context, begunOf));
}

/** Where bundles would be; a name may be known only when the parts are. */
interface Names {
  readonly output: Output;
  readonly names: readonly (string | undefined)[];
}

/** What an earlier start has found already: the first of some bundles that a key has begun. */
export function begunAt(
  { output, names }: Names,
  key: SigningKey | undefined,
  { restart, incomplete, stopAfter }: Pick<PackRequest, 'restart' | 'incomplete' | 'stopAfter'>,
  context: Context,
): BegunOf {
  return async (parts) => {
    if (key === undefined || restart) return undefined;
    const may = { mayBeElsewhere: stopAfter !== undefined, mayLack: incomplete === true };
    for (const name of names) {
      if (name === undefined) continue;
      const path = bundlePath(output, name);
      const begun = await findBegunContent({ path, parts, key, ...may }, context);
      if (begun !== undefined) return begun;
    }
    return undefined;
  };
}

/** What first use on the closed side will refuse is better told on this side. */
export function tellNeeds({ content }: Closure, { observe }: Context): void {
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

/** How a bundle is signed and locked. */
export interface SigningRequest {
  /** Of the bundle. */
  readonly name: string;
  readonly volumeSize?: number | undefined;
  /** The user's key, where there is one. */
  readonly own: SigningKey | undefined;
  readonly dryRun: boolean;
}

/**
 * Writes the lock that was asked for. Gets a key to sign with: the first pack of a user makes it.
 * @throws BundleError as {@link writeLock} and {@link firstKey} do
 */
export async function lockAndSign(
  request: PackIntoPipeRequest,
  found: FoundParts,
  { own, dryRun, name, volumeSize }: SigningRequest,
  context: Context,
): Promise<Signing> {
  const { offers } = request;
  const facts = lockedFacts(request, {
    name,
    ...(volumeSize !== undefined && { volumeSize }),
    ...(offers !== undefined && { offers }),
  });
  await writeLock(request, found, facts, context);
  if (own !== undefined) return { key: own, made: undefined };
  return firstKey(request.key, dryRun, context);
}

/** @throws BundleError as {@link offersOf} does */
export function offersIn(
  { parts }: Closure,
  { offers }: PackIntoPipeRequest,
): readonly Offers[] | undefined {
  return offers && offersOf(parts, offers);
}

/** What a report says of the parts, beside what was written. */
export interface PartsFacts {
  readonly request: PackIntoPipeRequest;
  readonly offers: readonly Offers[] | undefined;
  /** What the whole bundle of the parts in the report lists; nothing for a patch. */
  readonly described: DescribedBundle | undefined;
  readonly delivered: Delivered | undefined;
}

export async function withFacts<R extends PackReport>(
  report: R,
  { request, offers, described, delivered }: PartsFacts,
  context: Context,
): Promise<R> {
  const signatures = await signatureFacts(report.closure, request, context);
  const increment =
    described && delivered && incrementFacts(described.manifest, report.closure, delivered.sites);
  return { ...report, offers, signatures, increment };
}
