import type { Context } from '../core/context.ts';
import { deliver, type DeliveryReport, type DeliveryRequest } from '../delivering/deliver.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import { findRelease, type ReleaseRequest } from './pack.ts';
import type { PlannedRelease } from '../kinds/release/release.ts';

export interface MirrorRequest {
  readonly release: ReleaseRequest;
  readonly delivery: DeliveryRequest;
  readonly network: NetworkOptions;
}

export interface MirrorReport {
  readonly release: PlannedRelease;
  readonly delivery: DeliveryReport;
}

/**
 * Copies a release from registry to registry, with the checks of pack and the order of unpack, and
 * no file between.
 */
export async function mirror(request: MirrorRequest, context: Context): Promise<MirrorReport> {
  const network = await Network.open(request.network, context);
  try {
    const release = await findRelease(request.release, network, context);
    const delivery = await deliver(release, request.delivery, async () => network, context);
    return { release, delivery };
  } finally {
    await network.close();
  }
}
