import type { Options } from 'yargs';

import { BundleError } from '../../core/errors.ts';
import type { DeliveryRequest } from '../../delivering/deliver.ts';
import type { DestinationOptions } from '../../kinds/destinations.ts';
import { type DeliveryTarget, parseDeliveryTarget } from '../../delivering/delivery-target.ts';
import { count, flag, requiredText, text } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import type { Io } from '../io.ts';
import { applyRequest, clusterOptions, refuseLoopback } from './cluster.ts';
import { caFileOption, registryOptions } from './network.ts';
import { resourceOptions, resourceRequest } from './resources.ts';
import { one, type OptionTable, yes } from './table.ts';

/** How repositories are called at a target. */
export const repositoryOptions: OptionTable = {
  'release-repository': one(
    'path of the repository for components (default NAMESPACE/openshift/release)',
  ),
  'release-images-repository': one(
    'path of the repository for release images (default NAMESPACE/openshift/release-images)',
  ),
  'graph-repository': one(
    'path of the repository for the graph image (default NAMESPACE/openshift/graph-image)',
  ),
  'max-nested-paths': one(
    'how many path components the registry allows; further ones are joined with -',
  ),
};

/**
 * Options that change what is written for clusters, or for which parts: a command that is printed to
 * write the same for another name of the registry repeats them.
 */
export const WRITING_OPTIONS: readonly string[] = [
  'release',
  ...Object.keys({ ...repositoryOptions, ...resourceOptions, ...caFileOption }),
];

export const targetOption = (describe: string): Options => one(describe, { demandOption: true });

export const deliveryOptions: OptionTable = {
  to: targetOption('target: REGISTRY[/NAMESPACE], or oci:DIR for an image layout'),
  ...repositoryOptions,
  'replace-tags': yes('overwrite tags that name something else at the target'),
  ...resourceOptions,
  ...clusterOptions,
};

/** Options of `unpack` that say which parts go where, and how the place is reached. */
export const PLACE_OPTIONS = [
  'release',
  ...Object.keys({ ...repositoryOptions, ...registryOptions }),
];

/** What the options say of repositories, for a target that is named otherwise. */
export function repositoryNames(args: Arguments): Omit<DestinationOptions, 'to'> {
  return {
    releaseRepository: text(args, 'release-repository'),
    releaseImagesRepository: text(args, 'release-images-repository'),
    graphRepository: text(args, 'graph-repository'),
    maxNestedPaths: count(args, 'max-nested-paths'),
  };
}

/** Where parts go, as `--to` and the options for repositories say. */
export function deliveryTarget(args: Arguments): DeliveryTarget {
  return parseDeliveryTarget(requiredText(args, 'to'), repositoryNames(args));
}

export function deliveryRequest(args: Arguments, io: Io): DeliveryRequest {
  const to = deliveryTarget(args);
  const apply = applyRequest(args, io);
  if (apply !== undefined && to.kind !== 'registry') {
    throw new BundleError('USAGE', '--apply needs a registry: no cluster reads an image layout', {
      hint: 'Give --to REGISTRY[/NAMESPACE], or leave --apply out.',
    });
  }
  if (apply !== undefined && to.kind === 'registry')
    refuseLoopback(apply, to.destinations.target.registry);
  return {
    to,
    apply,
    replaceTags: flag(args, 'replace-tags'),
    resources: resourceRequest(args, to),
    dryRun: flag(args, 'dry-run'),
  };
}
