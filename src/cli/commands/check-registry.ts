import { parseTarget, planDestinations } from '../../kinds/destinations.ts';
import { requiredText, text } from '../arguments.ts';
import type { Command } from '../command.ts';
import { repositoryNames, repositoryOptions } from '../options/delivery.ts';
import { networkRequest, registryOptions } from '../options/network.ts';

export const checkRegistryCommand: Command = {
  examples: [
    [
      '$0 check-registry registry.example.com:5000/ocp4',
      'starts uploads and cancels them: nothing is left in the registry',
    ],
    [
      '$0 check-registry registry.example.com/ocp4 --cluster-authfile pull-secret.json',
      "also check that the cluster's pull secret can only read",
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
      describe: "the clusters' pull secret, to check that it can pull and cannot push",
    },
    ...repositoryOptions,
    ...registryOptions,
  },
  async run(args, context) {
    const { checkRegistry } = await import('../../workflows/check-registry/check-registry.ts');
    const { checkRegistryReport } = await import('../present/check-report.ts');
    const destinations = planDestinations({
      to: parseTarget(requiredText(args, 'TARGET')),
      ...repositoryNames(args),
    });
    const request = {
      destinations,
      needsGraph: text(args, 'graph-repository') !== undefined,
      clusterAuthfile: text(args, 'cluster-authfile'),
      network: networkRequest(args),
    };
    return checkRegistryReport(await checkRegistry(request, context));
  },
};
