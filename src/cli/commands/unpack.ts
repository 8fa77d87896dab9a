import { flag } from '../arguments.ts';
import type { Command } from '../command.ts';
import {
  deliveryOptions,
  deliveryRequest,
  dryRunOption,
  networkRequest,
  openRequest,
  registryOptions,
  trustOptions,
} from '../options/options.ts';
import { unpackReport } from '../present/delivery-report.ts';
import { pipedPositional } from './verify.ts';

const partialOption = {
  partial: {
    type: 'boolean',
    describe:
      'push the components that are whole, of a bundle that is damaged or lacks volumes; never the release',
  },
} as const;

export const unpackCommand: Command = {
  usage: 'unpack <PATH..>',
  summary: 'verify a bundle and push it into a registry',
  examples: [
    ['$0 unpack /media/usb --to registry.example.com:5000/ocp4', 'into the local registry'],
    [
      '$0 unpack /media/usb --to registry.example.com:5000/ocp4 --dry-run',
      'where everything would go, and what is in the way',
    ],
    ['$0 unpack /media/usb --to oci:/srv/release', 'into an image layout'],
    [
      '$0 unpack /media/disc1 /media/disc2 --to registry.example.com:5000/ocp4',
      'a bundle in volumes, on two media',
    ],
    [
      '$0 unpack /media/usb ocp-4.17.3-x86_64.1a2b3c4d.patch.tar.zst --to registry.example.com:5000/ocp4',
      'a damaged bundle with a patch for it',
    ],
  ],
  positionals: pipedPositional,
  options: {
    ...partialOption,
    ...deliveryOptions,
    ...trustOptions,
    ...registryOptions,
    ...dryRunOption,
  },
  async run(args, context, io) {
    const { unpack } = await import('../../workflows/unpack.ts');
    const delivery = deliveryRequest(args);
    return unpackReport(
      await unpack(
        {
          bundle: openRequest(args, io),
          delivery,
          network: networkRequest(args),
          partial: flag(args, 'partial'),
        },
        context,
      ),
    );
  },
};
