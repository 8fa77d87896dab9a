import { BundleError } from '../../core/errors.ts';
import type { Command } from '../command.ts';
import { byteCount, flag, requiredText, text } from '../arguments.ts';
import { dryRunOption, sourceOptions, networkRequest, releaseOptions, releaseRequest } from '../options.ts';
import { askPassphrase } from '../passphrase.ts';
import { packReport } from '../present/pack-report.ts';

export const packCommand: Command = {
  usage: 'pack [VERSION]',
  summary: 'make a bundle of a release',
  examples: [
    ['$0 pack 4.17.3 -o /media/usb', 'x86_64, signed with your own key'],
    ['$0 pack 4.17.3 --arch multi -o /media/usb --dry-run', 'exact size and image list; nothing is written'],
    ['$0 pack --from quay.io/openshift-release-dev/ocp-release@sha256:… -o .', 'a release that is known by its digest'],
    ['$0 pack 4.17.3 --mirror quay.io=mirror.example.com/quay -o .', 'fetched from a mirror, digests unchanged'],
  ],
  positionals: { VERSION: { type: 'string', describe: 'version of the release, as in 4.17.3' } },
  options: {
    out: { alias: 'o', type: 'string', requiresArg: true, demandOption: true, describe: 'folder, or file that ends with .tar.zst' },
    ...releaseOptions,
    key: {
      type: 'string',
      requiresArg: true,
      describe: 'PEM key to sign with (default $BUNDLE_KEY, else your own, made on first use)',
      group: 'Trust:',
    },
    ...sourceOptions,
    'limit-rate': { type: 'string', requiresArg: true, describe: 'bytes per second at most, as in 50M', group: 'Registries:' },
    restart: { type: 'boolean', describe: 'begin anew, and drop what an earlier run has left' },
    ...dryRunOption,
  },
  async run(args, context, io) {
    const { pack } = await import('../../workflows/pack.ts');
    const output = requiredText(args, 'out');
    if (output === '-') {
      throw new BundleError('USAGE', 'a bundle cannot be written to a pipe', { hint: 'Name a folder or a file.' });
    }
    const report = await pack(
      {
        release: releaseRequest(args),
        output,
        key: { keyFile: text(args, 'key') ?? io.environment.env['BUNDLE_KEY'], passphrase: () => askPassphrase(io) },
        network: networkRequest(args),
        limitRate: byteCount(args, 'limit-rate'),
        restart: flag(args, 'restart'),
        dryRun: flag(args, 'dry-run'),
      },
      context,
    );
    return packReport(report);
  },
};
