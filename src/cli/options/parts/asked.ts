import type { Context } from '../../../core/context.ts';
import { BundleError } from '../../../core/errors.ts';
import type { Blocker } from '../../../image-sets/image-set.ts';
import type { OffersRequest } from '../../../kinds/graph/offers.ts';
import type { PartRequest } from '../../../kinds/kind.ts';
import type { LockRequest } from '../../../packing/lock/follow.ts';
import { text } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import { graphDataOptions, graphParts, offersRequest } from '../graph-data.ts';
import { attachedRequest, releaseOptions, releaseParts } from '../release.ts';
import { one, type OptionTable } from '../table.ts';
import type { ConfiguredParts } from './config.ts';
import { catalogPartOptions, catalogParts } from './catalogs.ts';
import { chartOptions } from './chart-options.ts';
import { imageOptions, imageParts } from './images.ts';

const lockOptions: OptionTable = {
  lock: one('write a lock: a file that names by digest all that is carried (--dry-run, too)'),
  locked: one('carry exactly what a lock names, whatever tags name by now'),
};

/** What is carried beside releases that are named, or instead of them. */
export const askedOptions: OptionTable = {
  config: one(
    'ImageSetConfiguration for oc-mirror v2: carry what it asks for ' +
      '(bundle imageset check checks it)',
    { alias: 'c' },
  ),
  ...lockOptions,
  ...imageOptions,
  ...catalogPartOptions,
  ...chartOptions,
};

/** Options of these tables that say nothing of what a lock names: how it is proved, and found. */
const BESIDE_A_LOCK = [
  ...['config', 'locked', 'release-key', 'signature-store', 'allow-unsigned-release'],
  ...['graph-data', 'graph-url', 'chart-keyring', 'helm-repositories'],
];

/** Everything that a command line asks for. */
export interface AskedParts {
  readonly parts: readonly PartRequest[];
  readonly offers: OffersRequest | undefined;
  /** What the file says of the bundle, or the lock. */
  readonly set: {
    readonly name?: string | undefined;
    readonly volumeSize?: number | undefined;
  };
  /** What is carried beside images. */
  readonly attached: ReturnType<typeof attachedRequest>;
  readonly lock: LockRequest;
  readonly blocker?: Blocker | undefined;
}

/** @throws BundleError USAGE, CONFIGURATION; as graphs are read, and locks */
export async function askedParts(args: Arguments, context: Context): Promise<AskedParts> {
  const locked = text(args, 'locked');
  if (locked !== undefined) {
    // Imported here and not at the start: it needs libraries that take time to load.
    const { lockedParts } = await import('./locked.ts');
    const all = Object.keys({ ...releaseOptions, ...graphDataOptions, ...askedOptions });
    const decided = all.filter((name) => !BESIDE_A_LOCK.includes(name));
    return lockedParts(locked, decided, args, context);
  }
  const config = await configOf(args, context);
  const releases = config?.releases ?? (await releaseParts(args, context));
  const graph = await graphParts(args, releases, config?.wantsGraph);
  const images = await imageParts(args, config?.images);
  const catalogs = await catalogParts(args, config?.catalogs);
  const charts = await chartsOf(args, config?.charts ?? [], context);
  const offers =
    config === undefined
      ? offersRequest(args)
      : config.channel === undefined || graph.length === 0
        ? undefined
        : { channel: config.channel, update: undefined };
  return {
    parts: [...releases, ...graph, ...images, ...catalogs, ...charts],
    offers,
    set: { name: config?.name, volumeSize: config?.volumeSize },
    attached: attachedRequest(args),
    lock: { file: lockFile(args), config: config?.asked },
    blocker: config?.blocker,
  };
}

/** @throws BundleError USAGE */
function lockFile(args: Arguments): string | undefined {
  const file = text(args, 'lock');
  if (file !== '-') return file;
  throw new BundleError('USAGE', '--lock writes a file, and - is no name for one', {
    hint: 'Name a file, or write ./- for one that is called so.',
  });
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
