import { BundleError } from '../../../core/errors.ts';
import type { PruneRequest } from '../../../workflows/prune/prune.ts';
import { count, digests, flag, text, texts } from '../../arguments.ts';
import type { Arguments, Command } from '../../command.ts';
import { openRequest } from '../../options/bundle.ts';
import { deliveryTarget, targetOption } from '../../options/delivery.ts';
import { networkRequest } from '../../options/network.ts';
import { namedHistory } from '../../options/receipts/history.ts';
import { askingOptions, receiptRequest } from '../../options/receipts/receipt.ts';
import { many, one, yes } from '../../options/table.ts';

const stays = 'What stays:';
const group = 'Receipt:';

export const pruneCommand: Command = {
  examples: [
    [
      '$0 prune --to registry.example.com:5000/ocp4 --keep-last 2',
      'what would go, if only the two newest releases stayed',
    ],
    [
      '$0 prune --to registry.example.com:5000/ocp4 --keep 4.17.5,4.16.20 --yes --receipt /media/usb',
      'removes all others, and writes a receipt of what is left',
    ],
  ],
  positionals: {
    PATH: {
      type: 'string',
      array: true,
      describe: 'bundles on media that were pushed there, beside those that receipts name',
    },
  },
  options: {
    to: targetOption('the registry: REGISTRY[/NAMESPACE]'),
    keep: many(
      'release or other part that stays: VERSION, VERSION-ARCH, label or digest; several with commas (repeatable)',
      {
        group: stays,
      },
    ),
    'keep-last': one('how many of the newest releases stay', { group: stays }),
    'keep-bundle': many('digest of a bundle of which all parts stay (repeatable)', {
      group: stays,
    }),
    config: one('DeleteImageSetConfiguration: what it lists goes, everything else stays', {
      alias: 'c',
      group: stays,
    }),
    yes: yes('remove it; else it is only said what would go'),
    'take-over': yes('go on where another bundle prune was killed'),
    receipt: one('folder to write a signed receipt of what is left to', { group }),
    'receipt-key': one('PEM key to sign the receipt with (default $BUNDLE_KEY, else your own)', {
      group,
    }),
    ...askingOptions,
  },
  async run(args, context, io) {
    const { KINDS } = await import('../../../kinds/all.ts');
    const { prune } = await import('../../../workflows/prune/prune.ts');
    const { pruneReport } = await import('../../present/receipts/prune-report.ts');
    const keeping = keepingOf(args);
    const history = namedHistory(args, context);
    const request: PruneRequest = {
      to: deliveryTarget(args),
      network: networkRequest(args),
      paths: texts(args, 'PATH'),
      open: await openRequest(args),
      kinds: KINDS,
      ...{ history, keeping },
      config: text(args, 'config'),
      yes: flag(args, 'yes'),
      takesOver: flag(args, 'take-over'),
      receipt: receiptRequest(args, io, () => (flag(args, 'no-history') ? undefined : history)),
    };
    return pruneReport(await prune(request, context));
  },
};

/** @throws BundleError USAGE where nothing says what stays, or two things do. */
function keepingOf(args: Arguments): PruneRequest['keeping'] {
  const named = texts(args, 'keep').flatMap((list) => list.split(','));
  const keeping = {
    names: named.filter((name) => name !== '').map(asDigest),
    last: count(args, 'keep-last'),
    bundles: digests(args, 'keep-bundle'),
  };
  const { names, last, bundles } = keeping;
  const isKept = names.length > 0 || last !== undefined || bundles.length > 0;
  const isListed = text(args, 'config') !== undefined;
  if (isKept !== isListed) return keeping;
  const message = isKept
    ? '--config lists what goes, and --keep what stays: they contradict each other'
    : 'nothing says what is to stay';
  throw new BundleError('USAGE', message, {
    hint: 'Give --keep, --keep-last or --keep-bundle; or --config alone.',
  });
}

/** The 64 digits of a digest may be given alone. */
function asDigest(name: string): string {
  return /^[0-9a-f]{64}$/.test(name) ? `sha256:${name}` : name;
}
