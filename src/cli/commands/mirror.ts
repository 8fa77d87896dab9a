import type { Command } from '../command.ts';
import { dryRunOption } from '../options/common.ts';
import { deliveryOptions, deliveryRequest } from '../options/delivery.ts';
import { graphDataOptions, graphParts, offersRequest } from '../options/graph-data.ts';
import { catalogPartOptions, catalogParts } from '../options/parts/catalogs.ts';
import { chartOptions } from '../options/parts/chart-options.ts';
import { imageOptions, imageParts } from '../options/parts/images.ts';
import { bothSidesOptions, networkRequest, sourceOptions } from '../options/network.ts';
import {
  attachedRequest,
  releaseOptions,
  releaseParts,
  versionPositional,
} from '../options/release.ts';

export const mirrorCommand: Command = {
  usage: 'mirror [VERSION..]',
  summary: 'copy releases from registry to registry, without a file in between',
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
    ...imageOptions,
    ...catalogPartOptions,
    ...chartOptions,
    ...sourceOptions,
    ...bothSidesOptions,
    ...dryRunOption,
  },
  async run(args, context, io) {
    const { chartParts, wantedCharts } = await import('../options/parts/charts.ts');
    const releases = await releaseParts(args, context);
    const request = {
      parts: [
        ...releases,
        ...(await graphParts(args, releases)),
        ...(await imageParts(args)),
        ...(await catalogParts(args)),
        ...(await chartParts(wantedCharts(args), args, context)),
      ],
      offers: offersRequest(args),
      ...attachedRequest(args),
      delivery: deliveryRequest(args, io),
      network: networkRequest(args),
    };
    const { mirror } = await import('../../workflows/mirror.ts');
    const { mirrorReport } = await import('../present/delivery-report.ts');
    return mirrorReport(await mirror(request, context));
  },
};
