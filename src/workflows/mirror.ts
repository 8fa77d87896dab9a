import type { Context } from '../core/context.ts';
import type { HoleReason } from '../bundle/format/manifest.ts';
import type { Digest } from '../core/digest.ts';
import type { BundleError } from '../core/errors.ts';
import { deliver, type DeliveryReport, type DeliveryRequest } from '../delivering/deliver.ts';
import { type Closure, dropsOf } from '../kinds/closure.ts';
import { type Offers, offersOf, type OffersRequest } from '../kinds/graph/offers.ts';
import type { SignatureFacts } from '../kinds/signatures/judged.ts';
import { signatureFacts } from '../packing/signature-facts.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import {
  findLocked,
  type LockableRequest,
  lockedFacts,
  refuseForeignLock,
  writeLock,
} from '../packing/lock/follow.ts';
import type { FoundParts } from '../packing/find-parts.ts';
import { reasonOf } from '../packing/missing/leaving-holes.ts';

export interface MirrorRequest extends LockableRequest {
  readonly delivery: DeliveryRequest;
  readonly network: NetworkOptions;
  /** Which updates the update service of the closed side has to offer. */
  readonly offers?: OffersRequest | undefined;
}

export interface MirrorReport {
  readonly closure: Closure;
  readonly delivery: DeliveryReport;
  /** What that update service will offer; none without graph data. */
  readonly offers?: readonly Offers[] | undefined;
  /** `undefined` where none were looked for. */
  readonly signatures?: SignatureFacts | undefined;
}

/**
 * Copies parts from registry to registry, with the checks of pack and the order of unpack, and no
 * file between.
 */
export async function mirror(request: MirrorRequest, context: Context): Promise<MirrorReport> {
  await refuseForeignLock(request);
  const network = await Network.open(request.network, context);
  try {
    const found = await findLocked(request, network, context);
    const { offers: wanted } = request;
    const offers = wanted && offersOf(found.parts, wanted);
    const facts = lockedFacts(request, wanted === undefined ? {} : { offers: wanted });
    await writeLock(request, found, facts, context);
    const carried = await deliverFound(found, request, network, context);
    const signatures = await signatureFacts(carried.closure, request, context);
    return { ...carried, offers, signatures };
  } finally {
    await network.close();
  }
}

/**
 * Copies parts. What shows only now that it cannot be had is left out of its part, and the part is
 * copied once more, where that is wanted and can be done: what has arrived is not sent again.
 */
async function deliverFound(
  found: FoundParts,
  request: MirrorRequest,
  network: Network,
  context: Context,
): Promise<Pick<MirrorReport, 'closure' | 'delivery'>> {
  const kinds = [...new Set(request.parts.map(({ kind }) => kind))];
  const lost = new Map<Digest, HoleReason>();
  /** Whether a failure of the source says no more than that it does not give a blob. */
  const isLoss = (error: BundleError, blob: Digest): boolean => {
    const reason = reasonOf(error);
    if (reason !== undefined) lost.set(blob, reason);
    return reason !== undefined;
  };
  const leaves = request.incomplete === true ? { incompleteParts: NONE, isLoss } : undefined;
  for (let closure: Closure = found; ;) {
    const known = lost.size;
    const to = { closure, kinds, request: request.delivery };
    const delivery = await deliver(to, async () => network, context, { leaves });
    if (request.dropIncomplete !== true || lost.size === known) return { closure, delivery };
    const rest = await found.without(lost);
    if (dropsOf(rest).length === dropsOf(closure).length) return { closure, delivery };
    closure = rest;
  }
}

const NONE: ReadonlySet<number> = new Set();
