import type { Context } from '../core/context.ts';
import { deliver, type DeliveryReport, type DeliveryRequest } from '../delivering/deliver.ts';
import type { Closure } from '../kinds/closure.ts';
import { type Offers, offersOf, type OffersRequest } from '../kinds/graph/offers.ts';
import type { SignatureFacts } from '../kinds/signatures/judged.ts';
import { signatureFacts } from '../packing/signature-facts.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import { findParts, type PartsRequest } from '../packing/find-parts.ts';

export interface MirrorRequest extends PartsRequest {
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
  const network = await Network.open(request.network, context);
  try {
    const closure = await findParts(request, network, context);
    const offers = request.offers && offersOf(closure.parts, request.offers);
    const kinds = [...new Set(request.parts.map(({ kind }) => kind))];
    const to = { closure, kinds, request: request.delivery };
    const delivery = await deliver(to, async () => network, context);
    return {
      closure,
      delivery,
      offers,
      signatures: await signatureFacts(closure, request, context),
    };
  } finally {
    await network.close();
  }
}
