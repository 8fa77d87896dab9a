import { parseTarget, planDestinations } from '../../kinds/destinations.ts';
import { count, requiredText, text } from '../arguments.ts';
import type { Command } from '../command.ts';
import { repositoryOptions } from '../options/delivery.ts';
import { networkRequest, registryOptions } from '../options/network.ts';
import { checkRegistryReport } from '../present/check-report.ts';

export const checkRegistryCommand: Command = {
  usage: 'check-registry <TARGET>',
  summary: 'tell whether a registry will do as a target, before the media travel',
  examples: [
    [
      '$0 check-registry registry.example.com:5000/ocp4',
      'nothing is left there: what is started is given up',
    ],
    [
      '$0 check-registry registry.example.com/ocp4 --cluster-authfile pull-secret.json',
      'the cluster may read, and must not write',
    ],
  ],
  positionals: {
    TARGET: {
      type: 'string',
      demandOption: true,
      describe: 'REGISTRY[/NAMESPACE], as in unpack --to',
    },
  },
  options: {
    'cluster-authfile': {
      type: 'string',
      requiresArg: true,
      describe: 'the pull secret that clusters will have: must be able to read, and not to write',
    },
    ...repositoryOptions,
    ...registryOptions,
  },
  async run(args, context) {
    const { checkRegistry } = await import('../../workflows/check-registry.ts');
    const destinations = planDestinations({
      to: parseTarget(requiredText(args, 'TARGET')),
      releaseRepository: text(args, 'release-repository'),
      releaseImagesRepository: text(args, 'release-images-repository'),
      maxNestedPaths: count(args, 'max-nested-paths'),
    });
    const request = {
      destinations,
      clusterAuthfile: text(args, 'cluster-authfile'),
      network: networkRequest(args),
    };
    return checkRegistryReport(await checkRegistry(request, context));
  },
};
