import type { Command } from '../command.ts';
import { dryRunOption } from '../options/common.ts';
import { deliveryOptions, deliveryRequest } from '../options/delivery.ts';
import { graphDataOptions } from '../options/graph-data.ts';
import { dropOption, incompleteOption, incompleteRequest } from '../options/parts/incomplete.ts';
import { askedOptions, askedParts } from '../options/parts/asked.ts';
import {
  bothSidesOptions,
  lookasideOptions,
  networkRequest,
  sourceOptions,
} from '../options/network.ts';
import { releaseOptions, versionPositional } from '../options/release.ts';

export const mirrorCommand: Command = {
  examples: [
    [
      '$0 mirror 4.17.3 --to registry.example.com:5000/ocp4',
      'on a host that can reach both registries',
    ],
  ],
  positionals: versionPositional,
  options: {
    ...deliveryOptions,
    ...releaseOptions,
    ...graphDataOptions,
    ...askedOptions,
    ...incompleteOption,
    ...dropOption,
    ...sourceOptions,
    ...lookasideOptions,
    ...bothSidesOptions,
    ...dryRunOption,
  },
  async run(args, context, io) {
    const { parts, offers, attached, lock, blocker } = await askedParts(args, context);
    const request = {
      parts,
      offers,
      ...attached,
      lock,
      blocker,
      ...incompleteRequest(args),
      delivery: deliveryRequest(args, io),
      network: networkRequest(args),
    };
    const { mirror } = await import('../../workflows/mirror.ts');
    const { mirrorReport } = await import('../present/delivery-report.ts');
    return mirrorReport(await mirror(request, context));
  },
};
