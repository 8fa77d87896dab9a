import type { Context } from '../core/context.ts';
import { BundleError } from '../core/errors.ts';
import { shownUrl } from '../core/text.ts';
import {
  type Architecture,
  architectureOfOci,
  ociArchitecture,
} from '../kinds/release/architecture.ts';
import { describeReleases } from '../kinds/graph/describe-releases.ts';
import { type GraphData, parseGraphData } from '../updates/graph-data/data.ts';
import { serviceAnswer } from '../updates/graph-data/evaluate.ts';
import { readGraphFile } from '../updates/graph-data/files.ts';
import { graphOf, type GraphRelease, parseGraph, UpdateGraph } from '../updates/graph.ts';
import { compareVersions } from '../updates/version-order.ts';
import { Network, type NetworkOptions } from './network.ts';
import { UpdateService } from './update-service.ts';

/** Where the update graph comes from, and which part of it is meant. */
export interface GraphRequest {
  /** Of the answer of a service in a file, everything is meant if it is left out. */
  readonly channel: string | undefined;
  /** The channel that is asked for if none is named. */
  readonly usualChannel?: string | undefined;
  readonly architecture: Architecture | undefined;
  readonly serviceUrl: string;
  /** The answer of a service, or graph data: a folder or a tarball. In place of the service. */
  readonly file?: string | undefined;
  /** Where the release images are that graph data is for; the official repository otherwise. */
  readonly images?: string | undefined;
  readonly network: NetworkOptions;
}

/** The oldest and the newest release that matter. */
export interface Between {
  readonly from: string;
  readonly to: string;
}

/** Graphs of one source. */
export interface Graphs {
  /** The channel that is meant; `undefined` for everything there is. */
  readonly channel: string | undefined;
  readonly architecture: Architecture | undefined;
  /** How messages call the source. */
  readonly name: string;
  /** Whether the source knows more channels than that one. */
  readonly hasOthers: boolean;
  /** The graph data; `undefined` where the source is an answer of a service. */
  readonly data: GraphData | undefined;
  /** @throws BundleError NETWORK, REGISTRY, CONTENT_MISMATCH, UNSUPPORTED_CONTENT */
  of(channel: string | undefined, between?: Between): Promise<KnownGraph>;
}

/** A graph, and when its releases were made, as far as that is known. */
export interface KnownGraph {
  readonly graph: UpdateGraph;
  readonly dates: ReadonlyMap<string, Date>;
}

const NO_DATES: ReadonlyMap<string, Date> = new Map();

/** Runs `work` with the graphs of a service, of a file, or of graph data. */
export async function withGraphs<T>(
  request: GraphRequest,
  context: Context,
  work: (graphs: Graphs) => Promise<T>,
): Promise<T> {
  const { file, channel } = request;
  if (file === undefined) return withService(request, context, work);
  const given = await readGraphFile(file);
  if (given.files !== undefined) {
    return withData(parseGraphData(given.files), { ...request, file }, context, work);
  }
  const whole = parseGraph(given.answer, file);
  return work({
    ...{ channel, architecture: request.architecture, name: file },
    ...{ hasOthers: false, data: undefined },
    of: async (wanted) => ({
      graph: wanted === undefined ? whole : inChannel(whole, wanted),
      dates: NO_DATES,
    }),
  });
}

async function withService<T>(
  request: GraphRequest,
  context: Context,
  work: (graphs: Graphs) => Promise<T>,
): Promise<T> {
  const { serviceUrl, network, channel, usualChannel, architecture = 'x86_64' } = request;
  const service = await UpdateService.open(serviceUrl, network, context);
  const { signal, observe } = context;
  try {
    return await work({
      ...{ channel: channel ?? usualChannel, architecture, name: shownUrl(serviceUrl) },
      ...{ hasOthers: true, data: undefined },
      of: async (wanted) => {
        if (wanted === undefined) throw noChannel();
        observe({ type: 'phase', what: `asking for the releases of ${wanted}` });
        const query = { channel: wanted, architecture: serviceName(architecture) };
        return { graph: await service.graph(query, signal), dates: NO_DATES };
      },
    });
  } finally {
    await service.close();
  }
}

/** Graph data names no updates: the releases do, so their images are looked at. */
async function withData<T>(
  data: GraphData,
  request: GraphRequest & { readonly file: string },
  context: Context,
  work: (graphs: Graphs) => Promise<T>,
): Promise<T> {
  const { file, channel, usualChannel, architecture = 'x86_64', images: from } = request;
  const network = await Network.open(request.network, context);
  try {
    return await work({
      ...{ channel: channel ?? usualChannel, architecture, name: file, hasOthers: false, data },
      of: async (wanted, between) => {
        const word = serviceName(architecture);
        const versions = versionsIn(data, wanted, word).filter((version) => isIn(version, between));
        const called = wanted ?? 'all channels';
        context.observe({ type: 'phase', what: `reading the release images of ${called}` });
        const described = await describeReleases(
          { from, versions, architecture },
          network,
          context,
        );
        const scope = { channel: wanted, architecture: word };
        return {
          graph: graphOf(serviceAnswer(data, described, scope), file),
          dates: new Map(
            described.flatMap(({ version, created }) => (created ? [[version, created]] : [])),
          ),
        };
      },
    });
  } finally {
    await network.close();
  }
}

/** As update services call it: `amd64` for `x86_64`. */
export function serviceName(architecture: Architecture): string {
  return ociArchitecture(architecture) ?? architecture;
}

/** The releases of a channel for an architecture, the oldest first. */
export function versionsIn(
  { channels }: GraphData,
  channel: string | undefined,
  architecture: string,
): readonly string[] {
  const lists = channel === undefined ? [...channels.values()] : [channels.get(channel) ?? []];
  const versions = lists.flat().flatMap((entry) => {
    // Some releases of 2020 have their architecture in the version: `4.2.11-s390x`.
    const own = /-([a-z0-9]+)$/.exec(entry)?.[1] ?? architecture;
    if (own !== architecture && architectureOfOci(own) !== undefined) return [];
    const [version = '', build] = entry.split('+');
    if (build === undefined || build === architecture) return version;
    // What is no architecture belongs to the version.
    const isOther = build === 'multi' || architectureOfOci(build) !== undefined;
    return isOther ? [] : entry;
  });
  return [...new Set(versions)].toSorted(compareVersions);
}

function isIn(version: string, between: Between | undefined): boolean {
  if (between === undefined) return true;
  const { from, to } = between;
  return compareVersions(version, from) >= 0 && compareVersions(version, to) <= 0;
}

/** A service drops what a channel does not have; a file may hold more. */
function inChannel(graph: UpdateGraph, channel: string): UpdateGraph {
  const { releases, withheld } = graph;
  const kept = releases.filter(
    ({ channels }: GraphRelease) => channels.length === 0 || channels.includes(channel),
  );
  const versions = new Set(kept.map(({ version }) => version));
  const isKept = ({ from, to }: { readonly from: string; readonly to: string }): boolean =>
    versions.has(from) && versions.has(to);
  const edges = [...graph.edges, ...graph.downward];
  return new UpdateGraph(kept, edges.filter(isKept), withheld.filter(isKept));
}

function noChannel(): BundleError {
  return new BundleError('USAGE', '--channel is missing', {
    hint: 'A channel is called like stable-4.17, eus-4.16, fast-4.17 or candidate-4.17.',
  });
}
