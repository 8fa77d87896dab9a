import { VOLUME_SIZES } from '../../bundle/format/volume-sizes.ts';
import { BundleError } from '../../core/errors.ts';
import { count, text } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import { one, type OptionTable, yes } from './table.ts';

const group = 'Media:';

export const restartOption: OptionTable = {
  restart: yes(
    'start over: an unfinished bundle of that name is deleted, a finished one is replaced when the ' +
      'new one is whole',
  ),
};

export const volumeSizeOption: OptionTable = {
  'volume-size': one(
    'cut the bundle into volumes of so many bytes at most: a number, as 500M or 4Gi, ' +
      `or ${Object.keys(VOLUME_SIZES).join(', ')}`,
    { group },
  ),
};

/** How a bundle is put on media, for the command that makes one. */
export const mediaOptions: OptionTable = {
  ...volumeSizeOption,
  'stop-after': one(
    'end after so many volumes; the same command then continues with another medium',
    { group },
  ),
  repair: one('file that bundle verify --damage wrote: pack only what it lists, as a patch', {
    group,
  }),
};

/**
 * @param size of a volume, if something else than an option says it.
 * @throws BundleError USAGE without a volume size
 */
export function stopAfter(args: Arguments, size?: number): number | undefined {
  const volumes = count(args, 'stop-after');
  const isSized = size !== undefined || text(args, 'volume-size') !== undefined;
  if (volumes === undefined || isSized) return volumes;
  throw new BundleError(
    'USAGE',
    '--stop-after needs --volume-size: without it there are no volumes',
    { hint: 'Say how large they are: --volume-size dvd, or a number of bytes.' },
  );
}
