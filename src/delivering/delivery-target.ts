import { BundleError } from '../core/errors.ts';
import {
  type DestinationOptions,
  type Destinations,
  parseTarget,
  planDestinations,
} from '../kinds/destinations.ts';

/** The two repositories of a registry, or the folder of an image layout. */
export type DeliveryTarget = {
  /** As it was written. */
  readonly name: string;
} & (
  | { readonly kind: 'registry'; readonly destinations: Destinations }
  | { readonly kind: 'layout'; readonly folder: string }
);

/**
 * @param to `REGISTRY[/NAMESPACE]` or `oci:DIR`.
 * @param options how repositories are called at a registry.
 * @throws BundleError USAGE, also for such an option beside an image layout
 */
export function parseDeliveryTarget(
  to: string,
  options: Omit<DestinationOptions, 'to'>,
): DeliveryTarget {
  if (!to.startsWith('oci:')) {
    return {
      name: to,
      kind: 'registry',
      destinations: planDestinations({ ...options, to: parseTarget(to) }),
    };
  }
  const folder = to.slice('oci:'.length);
  if (folder === '')
    throw new BundleError('USAGE', 'oci: needs a folder', { hint: 'Write --to oci:DIR.' });
  const idle = Object.entries(options).find(([, value]) => value !== undefined);
  if (idle !== undefined) {
    throw new BundleError('USAGE', `an image layout has no repositories to be called otherwise`, {
      expected: 'REGISTRY[/NAMESPACE]',
      got: to,
      hint:
        'Leave out --release-repository, --release-images-repository and --max-nested-paths, ' +
        'or name a registry.',
    });
  }
  return { name: to, kind: 'layout', folder };
}
