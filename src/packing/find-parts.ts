import type { HoleReason } from '../bundle/format/manifest.ts';
import type { Context } from '../core/context.ts';
import { mapLimited } from '../core/concurrency.ts';
import type { Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import { compareText } from '../core/text.ts';
import { AttachedImages } from '../kinds/attached.ts';
import { type Closure, closureOf } from '../kinds/closure.ts';
import {
  type FindOptions,
  type Found,
  type Kind,
  type Part,
  type PartRequest,
  partRequest,
  type Walk,
} from '../kinds/kind.ts';
import { withFoundLookaside } from '../kinds/signatures/lookaside.ts';
import type { ContentSource, Sources } from '../kinds/sources.ts';
import { ManifestWalker } from '../transfer/walk.ts';
import { requirePresent } from './check-present.ts';
import { LeavingHoles } from './leaving-holes.ts';
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
}

/** Parts that were found, and the request for each of them. */
export interface FoundParts extends Closure {
  readonly asked: readonly PartRequest[];
  /** The same parts without the images that need one of some blobs: these are holes, too. */
  readonly without: (lost: ReadonlyMap<Digest, HoleReason>) => Promise<Closure>;
}

export interface FoundPart extends Found {
  readonly kind: Kind;
  readonly asked: PartRequest;
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
  const leaving = request.incomplete === true ? new LeavingHoles(observe) : undefined;
  const options: FindOptions = {
    ...{ now, signal, observe },
    ...(leaving !== undefined && { excuse: leaving.excuseTag }),
  };
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
  const found = [...new Map(all.map((part) => [keyText(part), part])).values()];
  return expandFound({ found, leaving, sources }, request, context, begunOf);
}

/** Parts whose seeds are found, and what decides whether images of them may be left out. */
export interface FoundSeeds {
  readonly found: readonly FoundPart[];
  readonly leaving: LeavingHoles | undefined;
  readonly sources: Pick<Sources, 'lookaside'>;
}

/** The second of those steps. */
export async function expandFound(
  { found, leaving, sources }: FoundSeeds,
  { referrers, signatures }: Pick<PartsRequest, 'referrers' | 'signatures'>,
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
  const expandAll = async (): Promise<FoundParts> => {
    const parts: ExpandedPart[] = [];
    const told = new Set<string>();
    // One after the other: each asks for as much at once as the registries take.
    for (const one of found) {
      const walk: Walk = {
        ...{ walker, attached, lookups, signal, observe },
        ...(leaving !== undefined && { holes: leaving }),
      };
      const bare = await one.kind.expand(one.seed, from(one.content), walk);
      const part =
        signatures === false ? bare : await withFoundLookaside(bare, sources, walk, told);
      parts.push({ ...keyOf(one), asked: one.asked, part });
    }
    const sorted = parts.toSorted(inBundle);
    const closure = closureOf(sorted.map(({ part }) => part));
    leaving?.refuseHopeless(closure);
    return { ...closure, asked: sorted.map(({ asked }) => asked), without };
  };
  const without = async (lost: ReadonlyMap<Digest, HoleReason>): Promise<Closure> => {
    leaving?.lose(lost);
    return expandAll();
  };
  try {
    const all = await expandAll();
    if (leaving === undefined) await requirePresent(all.content.blobs, lookups, signal);
    return all;
  } finally {
    await begun?.close();
  }
}

interface ExpandedPart extends PartKey {
  readonly asked: PartRequest;
  readonly part: Part;
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

function keyText(part: FoundPart): string {
  const { kind, digest } = keyOf(part);
  return `${kind} ${digest}`;
}
