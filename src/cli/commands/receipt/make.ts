import { digests, flag, requiredText, texts } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { openRequest } from '../../options/bundle.ts';
import { deliveryTarget, targetOption } from '../../options/delivery.ts';
import { networkRequest } from '../../options/network.ts';
import { namedHistory } from '../../options/receipts/history.ts';
import { askingOptions, siteName } from '../../options/receipts/receipt.ts';
import { many, one, yes } from '../../options/table.ts';
import { keySource } from '../../passphrase.ts';

export const receiptMakeCommand: Command = {
  examples: [
    [
      '$0 receipt make --to registry.example.com:5000/ocp4 -o /media/usb --site plant-a',
      'of all bundles that the history of this host knows',
    ],
    [
      '$0 receipt make --to registry.example.com:5000/ocp4 -o /media/usb --deep /media/disc',
      'of this bundle; every blob is read and hashed',
    ],
  ],
  positionals: {
    PATH: {
      type: 'string',
      array: true,
      describe: 'bundles on media (default: all that the history knows)',
    },
  },
  options: {
    to: targetOption('the registry that is asked: REGISTRY[/NAMESPACE]'),
    out: one('folder to write the receipt to', { alias: 'o', demandOption: true }),
    'bundle-digest': many('a bundle that the history knows (repeatable)'),
    deep: yes('read and hash every blob; else the registry is asked for the last byte of each'),
    afresh: yes(
      'name only what was asked for, and let earlier receipts of this site count no more',
    ),
    key: one('PEM key to sign the receipt with (default $BUNDLE_KEY, else your own)'),
    ...askingOptions,
  },
  async run(args, context, io) {
    const { KINDS } = await import('../../../kinds/all.ts');
    const { askForReceipt } = await import('../../../workflows/receipts/ask.ts');
    const { askReport } = await import('../../present/receipts/ask-report.ts');
    const open = await openRequest({ ...args, 'bundle-digest': undefined });
    const request = {
      to: deliveryTarget(args),
      network: networkRequest(args),
      paths: texts(args, 'PATH'),
      digests: digests(args, 'bundle-digest'),
      open,
      kinds: KINDS,
      history: namedHistory(args, context),
      keeps: !flag(args, 'no-history'),
      folder: requiredText(args, 'out'),
      key: keySource(args, io),
      site: siteName(args),
      isNewSite: flag(args, 'new-site'),
      deep: flag(args, 'deep'),
      paper: flag(args, 'qr'),
      isAfresh: flag(args, 'afresh'),
    };
    return askReport(await askForReceipt(request, context));
  },
};
