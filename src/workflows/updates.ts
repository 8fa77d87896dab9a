import type { Context } from '../core/context.ts';
import { BundleError } from '../core/errors.ts';
import { compareText, oneLine, shownUrl } from '../core/text.ts';
import type { Architecture } from '../kinds/release/architecture.ts';
import {
  type GraphRequest,
  type Graphs,
  serviceName,
  versionsIn,
  withGraphs,
} from '../network/graph-source.ts';
import { UpdateService } from '../network/update-service.ts';
import { channelsOf, type GraphData, parseGraphData } from '../updates/graph-data/data.ts';
import { concerns } from '../updates/graph-data/evaluate.ts';
import { readGraphDataTar } from '../updates/graph-data/files.ts';
import { parseRisk, type Risk, type UpdateGraph, type WithheldUpdate } from '../updates/graph.ts';
import {
  controlPlaneOnly,
  findPath,
  risksOf,
  shortestPath,
  type UpdatePath,
} from '../updates/path.ts';
import { compareVersions, minorOf } from '../updates/version-order.ts';

export interface ReleasesReport {
  readonly channel: string | undefined;
  readonly architecture: Architecture | undefined;
  /** At least one, the oldest first. */
  readonly releases: readonly ListedRelease[];
}

export interface ListedRelease {
  readonly version: string;
  /** A reference by digest; `undefined` where only the graph data is known. */
  readonly payload: string | undefined;
  readonly channels: readonly string[];
  readonly url: string | undefined;
  readonly created: Date | undefined;
  readonly risks: readonly ListedRisk[];
  /** Patterns of releases from which no update leads to it. */
  readonly blockedFrom: readonly string[];
}

/** A risk, and the releases that it is a risk for: by name, or as a pattern. */
export interface ListedRisk extends Risk {
  readonly from?: readonly string[];
  readonly fromPattern?: string;
}

export interface PathRequest extends GraphRequest {
  readonly from: string;
  readonly to: string;
  /** Names of risks that do not count. */
  readonly acceptedRisks: readonly string[];
}

export interface PathReport {
  readonly channel: string | undefined;
  readonly architecture: Architecture | undefined;
  readonly graph: UpdateGraph;
  readonly path: UpdatePath;
  readonly risks: readonly PathRisk[];
  /** Releases of the path that only the control plane has to pass. */
  readonly controlPlaneOnly: readonly string[];
  /** The channel, the source of the graph and the place of the release images, as they were named. */
  readonly asked: Pick<GraphRequest, 'channel' | 'file' | 'serviceUrl' | 'images'>;
  /** Other ways, which are shorter and have more risks. */
  readonly alternatives: readonly UpdatePath[];
}

export interface PathRisk extends Risk {
  readonly from: string;
  readonly to: string;
  readonly accepted: boolean;
}

/** How channels are called, in the order in which sites trust them. */
const CHANNEL_KINDS = ['stable', 'eus', 'fast', 'candidate'] as const;
/** Versions that are named where one is not known. */
const NEAREST = 5;

/**
 * The releases of a channel, with what is known of the updates that lead to them. Without a channel,
 * a service is asked for its graph data, which names the releases of all channels. Graph data says
 * which releases there are, and what blocks updates to them; release images are looked at only
 * where the request names them.
 * @throws BundleError NETWORK, REGISTRY, NOT_FOUND, CONTENT_MISMATCH, UNSUPPORTED_CONTENT
 */
export async function listReleases(
  request: GraphRequest,
  context: Context,
): Promise<ReleasesReport> {
  if (request.file === undefined && request.channel === undefined) {
    const { architecture = 'x86_64' } = request;
    const data = await serviceData(request, context);
    return { channel: undefined, architecture, releases: listedData(data, request) };
  }
  return withGraphs(request, context, async (graphs) => {
    const { channel, architecture, data } = graphs;
    const releases =
      data !== undefined && request.images === undefined
        ? listedData(data, request)
        : await listedGraph(graphs);
    if (releases.length === 0) throw unknownChannel(graphs);
    return { channel, architecture, releases };
  });
}

async function serviceData(request: GraphRequest, context: Context): Promise<GraphData> {
  const { serviceUrl, network } = request;
  const service = await UpdateService.open(serviceUrl, network, context);
  try {
    context.observe({ type: 'phase', what: 'asking for the releases of all channels' });
    const tarball = await service.graphData(context.signal);
    return parseGraphData(
      await readGraphDataTar(tarball, `the graph data of ${shownUrl(serviceUrl)}`),
    );
  } finally {
    await service.close();
  }
}

function listedData(
  data: GraphData,
  { channel, architecture = 'x86_64' }: Pick<GraphRequest, 'channel' | 'architecture'>,
): readonly ListedRelease[] {
  const word = serviceName(architecture);
  return versionsIn(data, channel, word).map((version) => {
    const own = data.blocks.filter((block) => concerns(block, version, word));
    return {
      ...{ version, payload: undefined, url: undefined, created: undefined },
      channels: channelsOf(data, version, word),
      risks: own.flatMap(({ risk, from }) => {
        const known = risk && parseRisk({ ...risk }, `a risk of ${version}`);
        return known === undefined ? [] : { ...known, fromPattern: oneLine(from.source) };
      }),
      blockedFrom: own.flatMap(({ risk, from }) => (risk ? [] : oneLine(from.source))).slice(-1),
    };
  });
}

async function listedGraph(graphs: Graphs): Promise<readonly ListedRelease[]> {
  const { graph, dates } = await graphs.of(graphs.channel);
  return graph.releases.map((release) => {
    const { version, payload, channels, url, blockedFrom } = release;
    const risks = risksTo(graph, version);
    // Some services put the patterns of risks there too.
    const isBlocked = blockedFrom !== undefined && risks.length === 0;
    return {
      ...{ version, payload, channels, url, created: dates.get(version), risks },
      blockedFrom: isBlocked ? [blockedFrom] : [],
    };
  });
}

/** The risks of updates to a release, each with the releases that it is a risk for. */
function risksTo(graph: UpdateGraph, version: string): readonly ListedRisk[] {
  const byName = new Map<string, Risk & { from: string[] }>();
  for (const { from, risks } of graph.updatesTo(version)) {
    for (const risk of risks) {
      const known = byName.get(risk.name);
      if (known === undefined) byName.set(risk.name, { ...risk, from: [from] });
      else known.from.push(from);
    }
  }
  return [...byName.values()].toSorted((a, b) => compareText(a.name, b.name));
}

/**
 * The way from one release to another in a channel.
 * @throws BundleError NOT_FOUND for a release that the channel does not have, or where no path
 * leads to it; USAGE for an accepted risk that no update has; as {@link listReleases}
 */
export async function planPath(request: PathRequest, context: Context): Promise<PathReport> {
  const { from, to, acceptedRisks } = request;
  return withGraphs(request, context, async (graphs) => {
    const { channel, architecture, data } = graphs;
    const place = channel ?? graphs.name;
    const graphOf = async (name: string | undefined): Promise<UpdateGraph> =>
      (await graphs.of(name, { from, to })).graph;
    const word = serviceName(architecture ?? 'x86_64');
    if (data !== undefined) {
      if (versionsIn(data, channel, word).length === 0) throw unknownChannel(graphs);
      for (const version of [from, to])
        if (!versionsIn(data, channel, word).includes(version)) throw await unknownVersion(version);
    }
    const graph = await graphOf(channel);
    if (graph.releases.length === 0 && data === undefined) throw unknownChannel(graphs);
    for (const version of [from, to])
      if (graph.release(version) === undefined)
        throw data === undefined ? await unknownVersion(version) : noImage(version);
    const accepted = new Set(acceptedRisks);
    for (const name of accepted) requireRisk(graph, name);
    const path = findPath(graph, from, to, accepted);
    if (path === undefined) throw await noPath(graph);
    const shortest = shortestPath(graph, from, to)!;
    return {
      ...{ channel, architecture, graph, path },
      risks: risksOf(path).map((step) => ({
        ...step.risk,
        ...{ from: step.from, to: step.to, accepted: accepted.has(step.risk.name) },
      })),
      controlPlaneOnly: controlPlaneOnly(path),
      asked: request,
      alternatives: shortest.steps.length < path.steps.length ? [shortest] : [],
    };

    /** Of graph data: the release is known, but nobody has its image. */
    function noImage(version: string): BundleError {
      const where = request.images ?? 'the repository of official releases';
      return new BundleError('NOT_FOUND', `${where} has no release image of ${version}`, {
        hint:
          'Graph data names no updates: the images of the releases do. Name the repository that ' +
          'has them with --from.',
      });
    }

    /** Every channel that may have a release of that minor version, but the one that was asked. */
    function otherChannels(version: string): readonly string[] {
      if (!graphs.hasOthers) return [];
      return CHANNEL_KINDS.map((kind) => `${kind}-${minorOf(version)}`).filter(
        (name) => name !== channel,
      );
    }

    async function unknownVersion(version: string): Promise<BundleError> {
      let channels = data === undefined ? [] : channelsOf(data, version, word);
      for (const other of otherChannels(version)) {
        const release = (await graphOf(other)).release(version);
        if (release === undefined) continue;
        channels = release.channels.length > 0 ? release.channels : [other];
        break;
      }
      const known =
        data === undefined
          ? (await graphOf(channel)).releases.map((release) => release.version)
          : versionsIn(data, channel, word);
      const nearest = nearestTo(version, known);
      return new BundleError('NOT_FOUND', `${place} has no release ${version}`, {
        expected: `one such as ${nearest.join(', ')}`,
        got: version,
        hint:
          channels.length === 0
            ? 'Check the version, and name the channel that has it with --channel.'
            : `These channels have it: ${channels.join(', ')}. Name one with --channel.`,
      });
    }

    async function noPath(known: UpdateGraph): Promise<BundleError> {
      const why = `${place} has no path from ${from} to ${to}`;
      if (compareVersions(from, to) >= 0) {
        return new BundleError('NOT_FOUND', `${why}: an update never leads to an older release`, {
          hint: 'Name the release that the cluster runs first.',
        });
      }
      for (const other of otherChannels(to)) {
        const found = findPath(await graphOf(other), from, to);
        if (found === undefined) continue;
        return new BundleError('NOT_FOUND', why, {
          hint: `${other} has one: ${found.versions.join(' → ')}. Name it with --channel ${other}.`,
        });
      }
      const withheld = withheldBetween(known, from, to);
      if (withheld !== undefined) {
        const { from: before, to: after, why: cause } = withheld;
        return new BundleError(
          'NOT_FOUND',
          `${why}: clusters are not offered the update from ${before} to ${after}, since ${cause}`,
          {
            hint:
              'No cluster can find out whether that risk concerns it. Take another release, ' +
              'or wait until the update service says more.',
          },
        );
      }
      const down = known.downwardBetween(from, to);
      if (down !== undefined) {
        return new BundleError(
          'NOT_FOUND',
          `${why} but over the update from ${down.from} to ${down.to}, ` +
            'and an update never leads to an older release',
          { hint: 'Take another release, or wait until the channel has a release in between.' },
        );
      }
      const newest = newestReachable(known, from);
      return new BundleError(
        'NOT_FOUND',
        `${why}: ` +
          (newest === undefined
            ? `nothing leads on from ${from}`
            : `the newest release that it leads to is ${newest}`),
        { hint: 'Take another release, or wait until the channel has a release in between.' },
      );
    }
  });
}

/** The releases next to a version, in their order. */
function nearestTo(version: string, versions: readonly string[]): readonly string[] {
  const behind = versions.findIndex((other) => compareVersions(other, version) > 0);
  const at = behind === -1 ? versions.length : behind;
  const first = Math.max(0, Math.min(at - Math.floor(NEAREST / 2), versions.length - NEAREST));
  return versions.slice(first, first + NEAREST);
}

function newestReachable(graph: UpdateGraph, from: string): string | undefined {
  const others = [...graph.reachableFrom(from)].filter((version) => version !== from);
  return others.toSorted(compareVersions).at(-1);
}

/** An update that a path could take if clusters were offered it. */
function withheldBetween(graph: UpdateGraph, from: string, to: string): WithheldUpdate | undefined {
  const before = graph.reachableFrom(from);
  const behind = graph.leadingTo(to);
  return graph.withheld.find((update) => before.has(update.from) && behind.has(update.to));
}

function requireRisk({ edges }: UpdateGraph, name: string): void {
  const names = new Set(edges.flatMap(({ risks }) => risks.map((risk) => risk.name)));
  if (names.has(name)) return;
  throw new BundleError('USAGE', `--accept-risk ${name}: no update of the channel has this risk`, {
    expected:
      names.size === 0 ? 'none: its updates have no risks' : [...names].toSorted().join(', '),
    got: name,
    hint: 'Write the name of a risk as bundle path shows it, or leave the option out.',
  });
}

function unknownChannel({ channel, architecture, name }: Graphs): BundleError {
  const of = channel ?? 'any channel';
  const what = architecture === undefined ? of : `${of} for ${architecture}`;
  return new BundleError('NOT_FOUND', `${name} has no release of ${what}`, {
    hint: 'A channel is called like stable-4.17, eus-4.16, fast-4.17 or candidate-4.17.',
  });
}
