import type { Context } from '../../core/context.ts';
import { Network } from '../../network/network.ts';
import { surveyBundle } from '../../opening/open-bundle.ts';
import { BundlesAtHand } from '../../packing/resume/at-hand.ts';
import type { PackIntoPipeRequest } from './request.ts';

/** What content may come from. */
export interface PackSources {
  readonly network: Network;
  readonly atHand: BundlesAtHand;
}

/**
 * Opens registries, and bundles on disk. Those are opened and checked like any other, and each of
 * their blobs is hashed when it is taken.
 * @throws BundleError as {@link surveyBundle} does
 */
export async function withSources<T>(
  request: PackIntoPipeRequest,
  context: Context,
  work: (sources: PackSources) => Promise<T>,
): Promise<T> {
  const network = await Network.open(request.network, context);
  const atHand = new BundlesAtHand();
  try {
    for (const path of request.fromBundles?.paths ?? []) {
      // What is damaged is fetched: the bundle is only a source.
      const one = await surveyBundle({ ...request.fromBundles!, paths: [path] }, context, ignored);
      atHand.add(one.reader, one.close);
    }
    return await work({ network, atHand });
  } finally {
    await atHand.close();
    await network.close();
  }
}

const ignored = (): void => undefined;
