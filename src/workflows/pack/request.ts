import type { Context } from '../../core/context.ts';
import type { Delivered } from '../../history/baselines.ts';
import type { Closure } from '../../kinds/closure.ts';
import type { OffersRequest } from '../../kinds/graph/offers.ts';
import { needsTrustedPacker } from '../../kinds/statements.ts';
import { Network, type NetworkOptions } from '../../network/network.ts';
import type { PackedContent } from '../../packing/content.ts';
import { type LockableRequest, lockedFacts } from '../../packing/lock/follow.ts';
import { type IncrementFacts, incrementFacts } from '../../packing/increments/leave-out.ts';
import type { NameRequest } from '../../packing/naming.ts';
import type { LockedFacts } from '../../packing/lock/lock.ts';
import type { KeySource } from '../../packing/signing-key.ts';
import type { FileJob } from '../../packing/to-files.ts';
import { type BaselineRequest, readBaselines } from '../../opening/incomplete/baselines.ts';
import { type OpenRequest, surveyBundle } from '../../opening/open-bundle.ts';
import { BundlesAtHand } from '../../packing/resume/at-hand.ts';

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
  /** Bundles on disk: what they hold of it is read from them, and asked for at no registry. */
  readonly fromBundles?: OpenRequest | undefined;
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

/** @throws BundleError as {@link readBaselines} does */
export async function deliveredTo(
  { baselines }: PackIntoPipeRequest,
  context: Context,
): Promise<Delivered | undefined> {
  return baselines && (await readBaselines(baselines, context));
}

export function factsOfIncrement(
  { described }: Pick<PackedContent, 'described'>,
  closure: Closure,
  delivered: Delivered | undefined,
): IncrementFacts | undefined {
  return delivered && incrementFacts(described.manifest, closure, delivered.sites);
}

export function factsOf(
  request: PackIntoPipeRequest,
  own: Pick<LockedFacts, 'name' | 'volumeSize'>,
): LockedFacts {
  const { offers } = request;
  return lockedFacts(request, { ...own, ...(offers !== undefined && { offers }) });
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

/**
 * Opens what content may come from: registries, and bundles on disk. Those are opened and checked
 * like any other, and each of their blobs is hashed when it is taken.
 * @throws BundleError as {@link surveyBundle} does
 */
export async function withSources<T>(
  request: PackIntoPipeRequest,
  context: Context,
  work: (network: Network, atHand: BundlesAtHand) => Promise<T>,
): Promise<T> {
  const network = await Network.open(request.network, context);
  const atHand = new BundlesAtHand();
  try {
    for (const path of request.fromBundles?.paths ?? []) {
      // What is damaged is fetched: the bundle is only a source.
      const one = await surveyBundle({ ...request.fromBundles!, paths: [path] }, context, ignored);
      atHand.add(one.reader, one.close);
    }
    return await work(network, atHand);
  } finally {
    await atHand.close();
    await network.close();
  }
}

const ignored = (): void => undefined;
