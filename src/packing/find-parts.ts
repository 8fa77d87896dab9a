import type { WentWithout } from '../bundle/format/damage-map.ts';
import type { HoleReason } from '../bundle/format/manifest.ts';
import type { Context } from '../core/context.ts';
import { mapLimited } from '../core/concurrency.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import type { JsonObject } from '../core/json.ts';
import { compareText, oneLine } from '../core/text.ts';
import { AttachedImages } from '../kinds/attached.ts';
import type { Blocker } from '../image-sets/image-set.ts';
import { refuseBlocked } from '../kinds/image/blocked.ts';
import { type Closure, closureOf } from '../kinds/closure.ts';
import type { Holes } from '../kinds/holes.ts';
import { type FindOptions, type PartRequest, partRequest, type Walk } from '../kinds/kind.ts';
import { withFoundLookaside } from '../kinds/signatures/lookaside.ts';
import type { ContentSource, Sources } from '../kinds/sources.ts';
import { ManifestWalker } from '../transfer/walk.ts';
import { requirePresent } from './check-present.ts';
import { Dropper, type Expanded, type FoundPart, ToldOnce } from './missing/dropper.ts';
import { goingWithout } from './missing/going-without.ts';
import { LeavingHoles } from './missing/leaving-holes.ts';
import { NAMING_THE_WAY, withoutImage } from './missing/naming-the-way.ts';
import type { BegunContent, PartKey } from './resume/begun-content.ts';

/** The parts that are to be packed or mirrored. */
export interface PartsRequest {
  readonly parts: readonly PartRequest[];
  /** Whether what refers to the images is looked for too. */
  readonly referrers: boolean;
  /** `false` where no signatures are looked for either. */
  readonly signatures?: boolean | undefined;
  /** OpenPGP keys beside the built-in ones, for reports of who signed what. */
  readonly releaseKeyFiles?: readonly string[] | undefined;
  /** Leaves out, and lists, images that their sources do not give. */
  readonly incomplete?: boolean | undefined;
  /** Whether nothing may be left out, and that cannot be asked for either. */
  readonly isWhole?: boolean | undefined;
  /** Leaves out what an earlier bundle went without, and nothing else. */
  readonly without?: WentWithout | undefined;
  /** Leaves out of parts what needs such images, as far as they can do without it. */
  readonly dropIncomplete?: boolean | undefined;
  /** Images that are not wanted, where a part can do without them. */
  readonly blocker?: Blocker | undefined;
}

/** Parts that were found, and the request for each of them. */
export interface FoundParts extends Closure {
  readonly asked: readonly PartRequest[];
  /** The same parts without the images that need one of some blobs: these are holes, too. */
  readonly without: (lost: ReadonlyMap<Digest, HoleReason>) => Promise<Closure>;
}

/** Finds what an earlier run has left of some parts: it is not fetched again. */
export type BegunOf = (parts: readonly PartKey[]) => Promise<BegunContent | undefined>;

/**
 * The steps that pack and mirror share: from what was asked for to parts that are proven and known
 * down to the last blob. What is asked for twice is one part.
 */
export async function findParts(
  request: PartsRequest,
  sources: Sources,
  context: Context,
  begunOf?: BegunOf,
): Promise<FoundParts> {
  const { observe, signal, lookups, now } = context;
  const { leaving, holes, missing } = leavingOut(request, observe);
  const options: FindOptions = {
    ...{ now, signal, blocker: request.blocker },
    observe: request.dropIncomplete === true ? new ToldOnce(observe).observe : observe,
    ...missing,
  };
  const dropper = request.dropIncomplete === true ? new Dropper(sources, options) : undefined;
  const divide = async ({ kind, request: asked }: PartRequest): Promise<readonly PartRequest[]> => {
    const requests = await kind.divide?.(asked, sources, options);
    return requests?.map((one) => partRequest(kind, one)) ?? [partRequest(kind, asked)];
  };
  const wanted = (await mapLimited(request.parts, lookups, divide, signal)).flat();
  const find = async (asked: PartRequest): Promise<FoundPart> => ({
    ...{ kind: asked.kind, asked },
    ...(await asked.kind.find(asked.request, sources, options)),
  });
  const all = await mapLimited(wanted, lookups, find, signal);
  const found = [...new Map(all.map((part) => [keyText(keyOf(part)), part])).values()];
  return expandFound({ found, leaving, holes, dropper, sources }, request, context, begunOf);
}

/** What decides which images may be left out. */
export interface LeavingOut {
  /** Where that shows when they are asked for. */
  readonly leaving: LeavingHoles | undefined;
  /** `undefined` where nobody is asked. */
  readonly holes: Holes | undefined;
  /** The same for what is asked for before images are. */
  readonly missing: Pick<FindOptions, 'absent' | 'dropped'>;
}

export function leavingOut(
  { incomplete, isWhole, without }: Pick<PartsRequest, 'incomplete' | 'isWhole' | 'without'>,
  observe: Observe,
): LeavingOut {
  if (without !== undefined) {
    const { holes, ...missing } = goingWithout(without);
    return { leaving: undefined, holes, missing };
  }
  if (isWhole === true) return { leaving: undefined, holes: undefined, missing: {} };
  if (incomplete !== true) {
    const { holes, absent } = NAMING_THE_WAY;
    return { leaving: undefined, holes, missing: { absent } };
  }
  const leaving = new LeavingHoles(observe);
  return { leaving, holes: leaving, missing: { absent: leaving.tags } };
}

/** Parts whose seeds are found, and what decides whether images of them may be left out. */
export interface FoundSeeds extends Pick<LeavingOut, 'leaving' | 'holes'> {
  readonly found: readonly FoundPart[];
  readonly dropper?: Dropper | undefined;
  readonly sources: Pick<Sources, 'lookaside'>;
}

/** The second of those steps. */
export async function expandFound(
  { found, leaving, holes, dropper, sources }: FoundSeeds,
  { referrers, signatures, blocker }: Pick<PartsRequest, 'referrers' | 'signatures' | 'blocker'>,
  context: Context,
  begunOf?: BegunOf,
): Promise<FoundParts> {
  const { observe, signal, lookups } = context;
  observe({ type: 'phase', what: 'reading the manifests' });
  const walker = new ManifestWalker({ concurrency: lookups, signal, observe });
  const asking = { concurrency: lookups, signal, observe };
  const attached = new AttachedImages(walker, { ...asking, referrers, signatures });
  const begun = await begunOf?.(found.map(keyOf));
  const from = (content: ContentSource): ContentSource =>
    begun?.before(content, referrers) ?? content;
  const walk: Walk = {
    ...{ walker, attached, lookups, signal, observe },
    ...(holes !== undefined && { holes }),
  };
  const expandAll = async (): Promise<FoundParts> => {
    const told = new Set<string>();
    const expand = async (one: FoundPart): Promise<Expanded> => {
      const bare = await one.kind.expand(one.seed, from(one.content), walk);
      const part =
        signatures === false ? bare : await withFoundLookaside(bare, sources, walk, told);
      leaving?.look(part);
      return { found: one, part };
    };
    // One after the other: each asks for as much at once as the registries take.
    const all: Expanded[] = [];
    for (const one of found) all.push(await expand(dropper?.now(one) ?? one));
    // Before anything is left out for it: a host that gives nothing is no reason for that.
    leaving?.refuseHopeless(all.map(({ part }) => part));
    const settled: Expanded[] = [];
    for (const [at, one] of all.entries())
      settled.push((await dropper?.settle(found[at]!, one, expand)) ?? one);
    const parts = settled.map((one) => ({
      ...{ ...keyOf(one.found), asked: one.found.asked, part: one.part },
    }));
    const different = [...new Map(parts.map((part) => [keyText(part), part])).values()];
    const sorted = different.toSorted(inBundle);
    sorted.forEach(requireReadable);
    const closure = closureOf(sorted.map(({ part }) => part));
    refuseBlocked(closure, blocker);
    leaving?.refuseHopeless(closure.parts);
    return { ...closure, asked: sorted.map(({ asked }) => asked), without };
  };
  const without = async (lost: ReadonlyMap<Digest, HoleReason>): Promise<Closure> => {
    leaving?.lose(lost);
    return expandAll();
  };
  try {
    const all = await expandAll();
    if (leaving !== undefined) return all;
    await requirePresent(all.content.blobs, lookups, signal).catch((error: unknown) => {
      throw holes === NAMING_THE_WAY.holes ? withoutImage(error) : error;
    });
    return all;
  } finally {
    await begun?.close();
  }
}

/**
 * Nothing is written that a reader would refuse: who gets the bundle could do nothing about it.
 * @throws BundleError UNSUPPORTED_CONTENT
 */
function requireReadable({ part, isClaim }: ExpandedPart): void {
  if (isClaim(part.claim)) return;
  throw new BundleError('UNSUPPORTED_CONTENT', `a bundle cannot hold ${part.label}`, {
    expected: 'names, paths and digests that a reader of the bundle takes',
    got: oneLine(JSON.stringify(part.claim)),
    hint: 'Leave it out, or give it another name or path. Please report this.',
    subject: part.label,
  });
}

interface ExpandedPart extends PartKey {
  readonly asked: PartRequest;
  readonly part: Expanded['part'];
}

/**
 * The order of parts in a bundle. It follows from what they are, so that the same parts make the
 * same bundle in whatever order they were asked for.
 */
function inBundle(a: ExpandedPart, b: ExpandedPart): number {
  const byKind = compareText(a.kind, b.kind);
  if (byKind !== 0) return byKind;
  return a.asked.kind.compare(a.part.facts, b.part.facts) || compareText(a.digest, b.digest);
}

function keyOf({ kind, seed }: FoundPart): PartKey {
  const digest = kind.digestOf(seed);
  const ofClaim = (claim: JsonObject): unknown =>
    kind.digestOfClaim === undefined ? claim['digest'] : kind.digestOfClaim(claim);
  return { kind: kind.name, digest, isClaim: (claim) => ofClaim(claim) === digest };
}

function keyText({ kind, digest }: PartKey): string {
  return `${kind} ${digest}`;
}
