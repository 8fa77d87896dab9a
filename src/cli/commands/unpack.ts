import { shellWord } from '../../core/text.ts';
import { asTyped, flag, partNames, requiredText } from '../arguments.ts';
import type { Command } from '../command.ts';
import { openRequest, PACKING_OPTIONS, pipedPositional, trustOptions } from '../options/bundle.ts';
import { dryRunOption } from '../options/common.ts';
import { deliveryOptions, deliveryRequest, WRITING_OPTIONS } from '../options/delivery.ts';
import { historyFolder, namedHistory } from '../options/receipts/history.ts';
import { receiptOptions, receiptRequest } from '../options/receipts/receipt.ts';
import { networkRequest, registryOptions } from '../options/network.ts';
import { many, yes } from '../options/table.ts';

/** Options that the same command with a patch repeats; those about trust stand last. */
const REPEATED: readonly string[] = [
  'release',
  ...Object.keys({ ...deliveryOptions, ...receiptOptions, ...registryOptions }).filter(
    (name) => name !== 'to',
  ),
];

export const unpackCommand: Command = {
  examples: [
    ['$0 unpack /media/usb --to registry.example.com:5000/ocp4', 'into the local registry'],
    [
      '$0 unpack /media/usb --to registry.example.com:5000/ocp4 --dry-run',
      'show where each image would go, and check the tags there',
    ],
    [
      '$0 unpack /media/usb --release 4.17.5 --to registry.example.com:5000/ocp4',
      'only one of the releases in it',
    ],
    ['$0 unpack /media/usb --to oci:/srv/release', 'into an image layout'],
    [
      '$0 unpack /media/disc1 /media/disc2 --to registry.example.com:5000/ocp4',
      'a bundle in volumes, on two media',
    ],
    [
      '$0 unpack /media/usb --to registry.example.com:5000/ocp4 --receipt /media/usb --site plant-a',
      'with a signed receipt, to be carried back',
    ],
    [
      '$0 unpack /media/usb ocp-4.17.3-x86_64.1a2b3c4d.patch.tar.zst --to ' +
        'registry.example.com:5000/ocp4',
      'a damaged bundle with a patch for it',
    ],
  ],
  positionals: pipedPositional,
  options: {
    release: many(
      'push only this release: VERSION, VERSION-ARCH or its digest (repeatable; default all)',
    ),
    partial: yes(
      'if the bundle is damaged or lacks volumes, push the images that are whole; ' +
        'a release that is not whole gets no tag',
    ),
    ...deliveryOptions,
    ...receiptOptions,
    ...trustOptions,
    ...registryOptions,
    ...dryRunOption,
  },
  async run(args, context, io) {
    const delivery = deliveryRequest(args, io);
    const request = {
      bundle: await openRequest(args, io),
      delivery,
      network: networkRequest(args),
      select: partNames(args, 'release'),
      partial: flag(args, 'partial'),
      history: namedHistory(args, context),
      receipt: receiptRequest(args, io, () => historyFolder(args, context), [
        'history',
        'no-history',
      ]),
    };
    const { unpack } = await import('../../workflows/unpack.ts');
    const { unpackReport } = await import('../present/delivery-report.ts');
    return unpackReport(await unpack(request, context), {
      paths: request.bundle.paths,
      isPiped: request.bundle.input !== undefined,
      trust: asTyped(args, Object.keys(trustOptions)),
      packing: asTyped(args, PACKING_OPTIONS),
      where: ['--to', shellWord(requiredText(args, 'to')), ...asTyped(args, REPEATED)],
      names: asTyped(args, WRITING_OPTIONS),
    });
  },
};
