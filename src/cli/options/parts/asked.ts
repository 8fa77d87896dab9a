import type { Context } from '../../../core/context.ts';
import type { OffersRequest } from '../../../kinds/graph/offers.ts';
import type { PartRequest } from '../../../kinds/kind.ts';
import { text } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import { graphParts, offersRequest } from '../graph-data.ts';
import { releaseParts } from '../release.ts';
import { one, type OptionTable } from '../table.ts';
import type { ConfiguredParts } from './config.ts';
import { catalogPartOptions, catalogParts } from './catalogs.ts';
import { chartOptions } from './chart-options.ts';
import { imageOptions, imageParts } from './images.ts';

/** What is carried beside releases that are named, or instead of them. */
export const askedOptions: OptionTable = {
  config: one(
    'ImageSetConfiguration for oc-mirror v2: carry what it asks for ' +
      '(bundle imageset check checks it)',
    { alias: 'c' },
  ),
  ...imageOptions,
  ...catalogPartOptions,
  ...chartOptions,
};

/** Everything that a command line asks for, with the file that it names. */
export interface AskedParts {
  readonly parts: readonly PartRequest[];
  readonly offers: OffersRequest | undefined;
  readonly config: ConfiguredParts | undefined;
}

/** @throws BundleError USAGE, CONFIGURATION; as graphs are read */
export async function askedParts(args: Arguments, context: Context): Promise<AskedParts> {
  const config = await configOf(args, context);
  const releases = config?.releases ?? (await releaseParts(args, context));
  const graph = await graphParts(args, releases, config?.wantsGraph);
  const images = [...(config?.images ?? []), ...(await imageParts(args))];
  const catalogs = await catalogParts(args, config?.catalogs);
  const charts = await chartsOf(args, config?.charts ?? [], context);
  const offers =
    config === undefined
      ? offersRequest(args)
      : config.channel === undefined || graph.length === 0
        ? undefined
        : { channel: config.channel, update: undefined };
  return { parts: [...releases, ...graph, ...images, ...catalogs, ...charts], offers, config };
}

/** @param ofFile those that the file asks for. */
async function chartsOf(
  args: Arguments,
  ofFile: ConfiguredParts['charts'],
  context: Context,
): Promise<readonly PartRequest[]> {
  const isGiven = Object.keys(chartOptions).some((name) => args[name] !== undefined);
  if (!isGiven && ofFile.length === 0) return [];
  // Imported here and not at the start: it needs libraries that take time to load.
  const { chartParts, wantedCharts } = await import('./charts.ts');
  return chartParts([...ofFile, ...wantedCharts(args)], args, context);
}

async function configOf(args: Arguments, context: Context): Promise<ConfiguredParts | undefined> {
  const file = text(args, 'config');
  if (file === undefined) return undefined;
  // Imported here and not at the start: it needs libraries that take time to load.
  const { configuredParts } = await import('./config.ts');
  return configuredParts(file, args, context);
}
