import { BundleError } from '../../core/errors.ts';
import { parseDeliveryTarget } from '../../delivering/delivery-target.ts';
import type { VerifyAtRequest } from '../../workflows/verify-at.ts';
import { asTyped, flag, partNames, text } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import { trustOptions } from './bundle.ts';
import { PLACE_OPTIONS, repositoryNames, repositoryOptions } from './delivery.ts';
import { networkRequest, registryOptions } from './network.ts';
import { many, one, type OptionTable, yes } from './table.ts';

const group = 'At a target:';

/** What is compared with a target, and how that is reached. */
const detailOptions: OptionTable = {
  deep: yes('read and hash every byte at the target', { group }),
  release: many('only this release should be there: VERSION, VERSION-ARCH or its digest', {
    group,
  }),
  ...inGroup(repositoryOptions),
  ...registryOptions,
};

/** For comparing a bundle with the place that it was unpacked to. */
export const atOptions: OptionTable = {
  at: one('compare with REGISTRY[/NAMESPACE] or oci:DIR, where the bundle was unpacked to', {
    group,
  }),
  ...detailOptions,
};

/**
 * @returns `undefined` where no target is to be compared.
 * @throws BundleError USAGE for an option that has no meaning then, or not with a target.
 */
export function atRequest(args: Arguments): Omit<VerifyAtRequest, 'bundle'> | undefined {
  const at = text(args, 'at');
  if (at === undefined) {
    const idle = Object.keys(detailOptions).find((name) => args[name] !== undefined);
    if (idle === undefined) return undefined;
    throw new BundleError('USAGE', `--${idle} needs --at`, {
      hint: 'Name the registry that the bundle was unpacked to: --at REGISTRY[/NAMESPACE].',
    });
  }
  if (args['damage'] !== undefined) {
    throw new BundleError('USAGE', '--damage and --at cannot be given together', {
      hint: 'With --at the target is read, and not the layers of the bundle. Verify twice.',
    });
  }
  return {
    at: parseDeliveryTarget(at, repositoryNames(args)),
    network: networkRequest(args),
    select: partNames(args, 'release'),
    deep: flag(args, 'deep'),
  };
}

/** The options that `unpack` takes too, as words of its command line. */
export function asUnpackTakes(args: Arguments): readonly string[] {
  return asTyped(args, [...Object.keys(trustOptions), ...PLACE_OPTIONS]);
}

function inGroup(options: OptionTable): OptionTable {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, { ...option, group }]),
  );
}
