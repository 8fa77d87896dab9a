import type { Command } from '../command.ts';
import {
  bothSidesOptions,
  deliveryOptions,
  deliveryRequest,
  dryRunOption,
  sourceOptions,
  networkRequest,
  releaseOptions,
  releaseRequest,
} from '../options/options.ts';
import { mirrorReport } from '../present/delivery-report.ts';

export const mirrorCommand: Command = {
  usage: 'mirror [VERSION]',
  summary: 'copy a release from registry to registry, with no file between',
  examples: [
    ['$0 mirror 4.17.3 --to registry.example.com:5000/ocp4', 'where both sides can be reached'],
  ],
  positionals: { VERSION: { type: 'string', describe: 'version of the release, as in 4.17.3' } },
  options: {
    ...deliveryOptions,
    ...releaseOptions,
    ...sourceOptions,
    ...bothSidesOptions,
    ...dryRunOption,
  },
  async run(args, context) {
    const { mirror } = await import('../../workflows/mirror.ts');
    return mirrorReport(
      await mirror(
        {
          release: releaseRequest(args),
          delivery: deliveryRequest(args),
          network: networkRequest(args),
        },
        context,
      ),
    );
  },
};
