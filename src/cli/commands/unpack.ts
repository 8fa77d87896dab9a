import type { Command } from '../command.ts';
import { deliveryOptions, deliveryRequest, dryRunOption, networkRequest, openRequest, registryOptions, trustOptions } from '../options.ts';
import { unpackReport } from '../present/delivery-report.ts';
import { pathsPositional } from './verify.ts';

export const unpackCommand: Command = {
  usage: 'unpack <PATH..>',
  summary: 'verify a bundle and push it into a registry',
  examples: [
    ['$0 unpack /media/usb --to registry.example.com:5000/ocp4', 'into the local registry'],
    ['$0 unpack /media/usb --to registry.example.com:5000/ocp4 --dry-run', 'where everything would go, and what is in the way'],
    ['$0 unpack /media/usb --to oci:/srv/release', 'into an image layout'],
  ],
  positionals: pathsPositional,
  options: { ...deliveryOptions, ...trustOptions, ...registryOptions, ...dryRunOption },
  async run(args, context) {
    const { unpack } = await import('../../workflows/unpack.ts');
    const delivery = deliveryRequest(args);
    return unpackReport(await unpack({ bundle: openRequest(args), delivery, network: networkRequest(args) }, context));
  },
};
