import type { Fault } from '../../bundle/reading/fault.ts';
import type { Context } from '../../core/context.ts';
import type { BundleError } from '../../core/errors.ts';
import { Network } from '../../network/network.ts';
import { surveyBundle } from '../../opening/open-bundle.ts';
import { tellDamage } from '../../opening/open-to-read.ts';
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
      const faults: Fault[] = [];
      const asked = { ...request.fromBundles!, paths: [path] };
      const one = await surveyBundle(asked, context, (fault) => faults.push(fault));
      tellDamage(one, faults.slice(0, 1), context);
      const onDamaged = (error: BundleError): void => {
        if (faults.length === 0) tellDamage(one, [{ error }], context);
      };
      atHand.add(one.reader, { onDamaged, close: one.close });
    }
    return await work({ network, atHand });
  } finally {
    await atHand.close();
    await network.close();
  }
}
