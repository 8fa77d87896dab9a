import { BundleError } from '../../core/errors.ts';
import { asTyped, flag, partNames } from '../arguments.ts';
import type { Command } from '../command.ts';
import { openRequest, PACKING_OPTIONS, pipedPositional, trustOptions } from '../options/bundle.ts';
import { applyRequest, clusterOptions, refuseLoopback } from '../options/cluster.ts';
import { dryRunOption } from '../options/common.ts';
import {
  deliveryTarget,
  repositoryOptions,
  targetOption,
  WRITING_OPTIONS,
} from '../options/delivery.ts';
import { caFileOption } from '../options/network.ts';
import { resourceOptions, resourceRequest } from '../options/resources.ts';
import { many } from '../options/table.ts';

export const resourcesCommand: Command = {
  examples: [
    [
      '$0 resources /media/usb --to registry.example.com:5000/ocp4',
      'what unpack writes, for any name of the registry',
    ],
    [
      '$0 resources /media/usb --to registry.example.com:5000/ocp4 --resource-names oc-mirror',
      'under the names that oc-mirror uses',
    ],
    [
      '$0 resources /media/usb --to registry.example.com:5000/ocp4 --apply all --dry-run',
      'show what applying them would change in the cluster',
    ],
  ],
  positionals: pipedPositional,
  options: {
    to: targetOption('registry that the clusters pull from: REGISTRY[/NAMESPACE]'),
    ...repositoryOptions,
    release: many(
      'only for this release: VERSION, VERSION-ARCH or its digest (repeatable; default all)',
    ),
    ...resourceOptions,
    ...clusterOptions,
    ...trustOptions,
    ...caFileOption,
    ...dryRunOption,
  },
  async run(args, context, io) {
    const to = deliveryTarget(args);
    if (to.kind !== 'registry') {
      throw new BundleError('USAGE', `--to needs a registry here, not ${to.name}`, {
        hint: 'Write HOST[:PORT] or HOST[:PORT]/NAMESPACE, as in registry.example.com:5000/ocp4.',
      });
    }
    const { registry } = to.destinations.target;
    if (registry.startsWith('[')) {
      throw new BundleError('USAGE', `mirror sets cannot name an address of IPv6: ${registry}`, {
        hint: 'Give the registry by a name that nodes can resolve.',
      });
    }
    const apply = applyRequest(args, io);
    if (apply !== undefined) refuseLoopback(apply, registry);
    const job = {
      bundle: await openRequest(args, io),
      ...{ to, resources: resourceRequest(args, to) },
      select: partNames(args, 'release'),
      apply,
      dryRun: flag(args, 'dry-run'),
    };
    const { writeForClusters } = await import('../../workflows/resources.ts');
    const { resourcesReport } = await import('../present/delivery-report.ts');
    return resourcesReport(await writeForClusters(job, context), {
      paths: job.bundle.paths,
      isPiped: job.bundle.input !== undefined,
      trust: asTyped(args, Object.keys(trustOptions)),
      packing: asTyped(args, PACKING_OPTIONS),
      names: asTyped(args, WRITING_OPTIONS),
    });
  },
};
