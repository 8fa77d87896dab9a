import { VOLUME_SIZES } from '../../bundle/format/volume-sizes.ts';
import { BundleError } from '../../core/errors.ts';
import type { Arguments, Command } from '../command.ts';
import { byteCount, count, flag, requiredText, text, volumeSize } from '../arguments.ts';
import {
  dryRunOption,
  sourceOptions,
  networkRequest,
  releaseOptions,
  releaseRequest,
} from '../options/options.ts';
import { keySource } from '../passphrase.ts';
import { PIPE, outputPipe } from '../pipes.ts';
import { packReport, pipedReport } from '../present/pack-report.ts';

export const restartOption = {
  restart: { type: 'boolean', describe: 'begin anew, and drop what an earlier run has left' },
} as const;

export const volumeSizeOption = {
  'volume-size': {
    type: 'string',
    requiresArg: true,
    describe: `cut the bundle into volumes of at most so many bytes, or for ${Object.keys(VOLUME_SIZES).join(', ')}`,
    group: 'Media:',
  },
} as const;

export const packCommand: Command = {
  usage: 'pack [VERSION]',
  summary: 'make a bundle of a release',
  examples: [
    ['$0 pack 4.17.3 -o /media/usb', 'x86_64, signed with your own key'],
    [
      '$0 pack 4.17.3 --arch multi -o /media/usb --dry-run',
      'exact size and image list; nothing is written',
    ],
    [
      '$0 pack --from quay.io/openshift-release-dev/ocp-release@sha256:… -o .',
      'a release that is known by its digest',
    ],
    ['$0 pack 4.17.3 --volume-size dvd -o /data/discs', 'in volumes that fit on DVDs'],
    [
      '$0 pack 4.17.3 -o - | ssh gateway bundle unpack - --to registry:5000/ocp4',
      'through a pipe; the result goes to stderr',
    ],
    [
      '$0 pack 4.17.3 --mirror quay.io=mirror.example.com/quay -o .',
      'fetched from a mirror, digests unchanged',
    ],
  ],
  positionals: { VERSION: { type: 'string', describe: 'version of the release, as in 4.17.3' } },
  options: {
    out: {
      alias: 'o',
      type: 'string',
      requiresArg: true,
      demandOption: true,
      describe: 'folder, file that ends with .tar.zst, or - for stdout',
    },
    ...releaseOptions,
    key: {
      type: 'string',
      requiresArg: true,
      describe: 'PEM key to sign with (default $BUNDLE_KEY, else your own, made on first use)',
      group: 'Trust:',
    },
    ...sourceOptions,
    ...volumeSizeOption,
    'stop-after': {
      type: 'string',
      requiresArg: true,
      describe: 'finish so many volumes, and let the same command go on later with another medium',
      group: 'Media:',
    },
    'limit-rate': {
      type: 'string',
      requiresArg: true,
      describe: 'bytes per second at most, as in 50M',
      group: 'Registries:',
    },
    repair: {
      type: 'string',
      requiresArg: true,
      describe: 'what bundle verify --damage has written: pack only what it lists, as a patch',
      group: 'Media:',
    },
    ...restartOption,
    ...dryRunOption,
  },
  takesStdout: (args) => args['out'] === PIPE,
  async run(args, context, io) {
    const output = requiredText(args, 'out');
    const common = {
      release: releaseRequest(args),
      key: keySource(args, io),
      network: networkRequest(args),
      limitRate: byteCount(args, 'limit-rate'),
    };
    if (output === PIPE) {
      const forFiles = ['volume-size', 'stop-after', 'repair', 'restart', 'dry-run'].find(
        (name) => args[name] !== undefined,
      );
      if (forFiles !== undefined) {
        throw new BundleError('USAGE', `--${forFiles} is for files, not for a pipe`, {
          hint: 'Name a folder or a file with -o.',
        });
      }
      const { packIntoPipe } = await import('../../packing/pack-pipe.ts');
      return pipedReport(await packIntoPipe(common, outputPipe(io), context));
    }
    const { pack } = await import('../../workflows/pack.ts');
    const report = await pack(
      {
        ...common,
        output,
        volumeSize: volumeSize(args, 'volume-size'),
        stopAfter: stopAfter(args),
        repairFile: text(args, 'repair'),
        restart: flag(args, 'restart'),
        dryRun: flag(args, 'dry-run'),
      },
      context,
    );
    return packReport(report);
  },
};

function stopAfter(args: Arguments): number | undefined {
  const volumes = count(args, 'stop-after');
  if (volumes === undefined || text(args, 'volume-size') !== undefined) return volumes;
  throw new BundleError(
    'USAGE',
    '--stop-after counts volumes, and there are none without --volume-size',
    {
      hint: 'Say how large they are: --volume-size dvd, or a number of bytes.',
    },
  );
}
