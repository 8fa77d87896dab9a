import type { Context } from '../core/context.ts';
import type { BundleError } from '../core/errors.ts';
import { deliver, type DeliveryReport, type DeliveryRequest } from '../delivering/deliver.ts';
import type { Closure } from '../kinds/closure.ts';
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
import { reasonOf } from '../packing/leaving-holes.ts';

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
    const closure = await findLocked(request, network, context);
    const { offers: wanted } = request;
    const offers = wanted && offersOf(closure.parts, wanted);
    const facts = lockedFacts(request, wanted === undefined ? {} : { offers: wanted });
    await writeLock(request, closure, facts, context);
    const kinds = [...new Set(request.parts.map(({ kind }) => kind))];
    const to = { closure, kinds, request: request.delivery };
    const leaves = request.incomplete === true ? { incompleteParts: NONE, isLoss } : undefined;
    const delivery = await deliver(to, async () => network, context, { leaves });
    const signatures = await signatureFacts(closure, request, context);
    return { closure, delivery, offers, signatures };
  } finally {
    await network.close();
  }
}

const NONE: ReadonlySet<number> = new Set();

/** Whether a failure of the source says no more than that it does not give a blob. */
function isLoss(error: BundleError): boolean {
  return reasonOf(error) !== undefined;
}
