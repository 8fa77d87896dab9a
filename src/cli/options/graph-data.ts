import { BundleError } from '../../core/errors.ts';
import { DEFAULT_GRAPH_BASE, type GraphPartRequest } from '../../kinds/graph/request.ts';
import type { OffersRequest } from '../../kinds/graph/offers.ts';
import { type PartRequest, partRequest } from '../../kinds/kind.ts';
import { ociArchitecture } from '../../kinds/release/architecture.ts';
import type { ReleaseRequest } from '../../kinds/release/request.ts';
import { minorOf } from '../../updates/version-order.ts';
import { flag, text } from '../arguments.ts';
import type { Arguments } from '../command.ts';
import { graphSource } from './graph.ts';
import { one, type OptionTable, yes } from './table.ts';

const group = 'Update graph:';

/** The graph that the closed side gets. */
export const graphDataOptions: OptionTable = {
  'graph-data': one(
    'graph data to carry: a folder, a tarball or its URL (default with --channel: that of --graph, ' +
      'else that of the update service)',
    { group },
  ),
  'graph-data-base': one(`image to lay the graph data onto (default ${DEFAULT_GRAPH_BASE})`, {
    group,
  }),
  'no-graph-data': yes('carry no graph data, though --channel is given', { group }),
};

/**
 * The graph data that a command line asks for: at most one part.
 * @param releases that it is carried with: the graph image is for their architectures.
 * @param isWanted whether it is wanted where no option names it.
 * @throws BundleError USAGE
 */
export async function graphParts(
  args: Arguments,
  releases: readonly PartRequest[],
  isWanted = text(args, 'channel') !== undefined,
): Promise<readonly PartRequest[]> {
  const isRefused = flag(args, 'no-graph-data');
  const named = text(args, 'graph-data');
  const base = text(args, 'graph-data-base');
  if (isRefused && (named !== undefined || base !== undefined)) {
    throw new BundleError('USAGE', '--no-graph-data excludes --graph-data and --graph-data-base', {
      hint: 'Leave out --no-graph-data to carry the graph data, or the others to carry none.',
    });
  }
  if (named === undefined && (!isWanted || isRefused)) {
    if (base === undefined) return [];
    throw new BundleError('USAGE', '--graph-data-base has a meaning only with graph data', {
      hint: 'Name the graph data with --graph-data, or its channel with --channel.',
    });
  }
  // Imported here and not at the start: a kind needs libraries that take time to load.
  const { graphKind } = await import('../../kinds/graph/graph.ts');
  const request = {
    ...(named === undefined ? await usualData(args) : { data: named }),
    base: base ?? DEFAULT_GRAPH_BASE,
    architectures: architecturesOf(releases),
  };
  return [partRequest(graphKind, request)];
}

/** The updates that the update service of the closed side has to offer; none without a channel. */
export function offersRequest(args: Arguments): OffersRequest | undefined {
  const [from, to] = [text(args, 'from-version'), text(args, 'to-version')];
  const update = from === undefined || to === undefined ? undefined : { from, to };
  const channel = text(args, 'channel') ?? (update && `stable-${minorOf(update.to)}`);
  return channel === undefined ? undefined : { channel, update };
}

/**
 * Where the graph data are that a lock names, if an option says it.
 * @throws BundleError USAGE
 */
export async function graphDataPlace(args: Arguments): Promise<string | undefined> {
  const named = text(args, 'graph-data');
  const service = text(args, 'graph-url');
  if (named !== undefined || service === undefined) return named;
  const { graphDataUrl, serviceUrl } = await import('../../network/update-service.ts');
  return graphDataUrl(serviceUrl(service)).href;
}

/** What `--graph` names, if that is graph data; else what the service has. */
async function usualData(args: Arguments): Promise<Pick<GraphPartRequest, 'data' | 'origin'>> {
  const { file, serviceUrl: service } = graphSource(args);
  const { readGraphFile } = await import('../../updates/graph-data/files.ts');
  const files = file === undefined ? undefined : (await readGraphFile(file)).files;
  if (files !== undefined) return { data: files, origin: file };
  const { graphDataUrl, serviceUrl } = await import('../../network/update-service.ts');
  return { data: graphDataUrl(serviceUrl(service)).href };
}

/** As in image configs, sorted; those of all machines for `multi`. */
function architecturesOf(releases: readonly PartRequest[]): readonly string[] {
  const all = ['amd64', 'arm64', 'ppc64le', 's390x'];
  const names = releases.flatMap(({ request }) => {
    const { architecture } = request as ReleaseRequest;
    return ociArchitecture(architecture) ?? all;
  });
  return all.filter((name) => names.includes(name));
}
