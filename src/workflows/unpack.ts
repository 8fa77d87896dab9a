import type { Context } from './context.ts';
import { deliver, type DeliveryReport, type DeliveryRequest } from './deliver.ts';
import { Network, type NetworkOptions } from './network.ts';
import { openBundle, type OpenedBundle, type OpenRequest } from './open-bundle.ts';

export interface UnpackRequest {
  readonly bundle: OpenRequest;
  readonly delivery: DeliveryRequest;
  readonly network: NetworkOptions;
}

export interface UnpackReport {
  readonly bundle: Omit<OpenedBundle, 'reader'>;
  readonly delivery: DeliveryReport;
}

/**
 * Verifies a bundle and pushes it. What can be checked without the layers is checked before the first upload; each layer
 * is hashed while it is sent, and completed at the target only if it was right.
 */
export async function unpack(request: UnpackRequest, context: Context): Promise<UnpackReport> {
  const { reader, ...bundle } = await openBundle(request.bundle, context);
  const { release, digest, standing, signer } = bundle;
  let network: Network | undefined;
  try {
    context.observe({
      type: 'noticed',
      message: `release ${release.version} for ${release.architecture}, ${release.digest}, made ${release.created}; bundle ${digest}`,
    });
    if (standing === 'unknown') {
      context.observe({ type: 'noticed', message: `content proven by the release signature; packer not known here: ${signer.id}` });
    }
    const delivery = await deliver(
      release,
      request.delivery,
      async () => (network = await Network.open(request.network, context)),
      context,
    );
    return { bundle, delivery };
  } finally {
    await network?.close();
    await reader.close();
  }
}
