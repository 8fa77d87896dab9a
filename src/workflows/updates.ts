import type { Context } from '../core/context.ts';
import { BundleError } from '../core/errors.ts';
import { MAX_GRAPH_BYTES } from '../core/limits.ts';
import { readGivenFile } from '../files/small-file.ts';
import type { ConnectionOptions } from '../network/network.ts';
import { UpdateService } from '../network/update-service.ts';
import { type GraphRelease, parseGraph, type Risk, UpdateGraph } from '../updates/graph.ts';
import {
  controlPlaneOnly,
  findPath,
  risksOf,
  shortestPath,
  type UpdatePath,
} from '../updates/path.ts';
import { compareVersions, minorOf } from '../updates/version-order.ts';

/** Where the update graph comes from, and which part of it is meant. */
export interface GraphRequest {
  /** Of a file, everything is meant if it is left out. */
  readonly channel: string | undefined;
  /** As in the tags of releases: `x86_64`. */
  readonly architecture: string | undefined;
  /** The same as update services call it: `amd64`. */
  readonly serviceArchitecture: string | undefined;
  readonly serviceUrl: string;
  /** The answer of a service in a file, in place of the service. */
  readonly file?: string | undefined;
  readonly connection: ConnectionOptions;
}

export interface ReleasesReport {
  readonly channel: string | undefined;
  readonly architecture: string | undefined;
  readonly graph: UpdateGraph;
}

export interface PathRequest extends GraphRequest {
  readonly from: string;
  readonly to: string;
  /** Names of risks that do not count. */
  readonly acceptedRisks: readonly string[];
}

export interface PathReport {
  readonly channel: string | undefined;
  readonly architecture: string | undefined;
  readonly graph: UpdateGraph;
  readonly path: UpdatePath;
  readonly risks: readonly PathRisk[];
  /** Releases of the path that only the control plane has to pass. */
  readonly controlPlaneOnly: readonly string[];
  /** The file that the graph is from. */
  readonly file: string | undefined;
  /** Other ways, which are shorter and have more risks. */
  readonly alternatives: readonly UpdatePath[];
}

export interface PathRisk extends Risk {
  readonly from: string;
  readonly to: string;
  readonly accepted: boolean;
}

const CHANNELS = 'A channel is called like stable-4.17, eus-4.16, fast-4.17 or candidate-4.17.';
/** How channels are called, in the order in which sites trust them. */
const CHANNEL_KINDS = ['stable', 'eus', 'fast', 'candidate'] as const;
/** Versions that are named where one is not known. */
const NEAREST = 5;

/**
 * The releases of a channel, with the updates that lead to them.
 * @throws BundleError NETWORK, REGISTRY, NOT_FOUND, CONTENT_MISMATCH, UNSUPPORTED_CONTENT
 */
export async function listReleases(
  request: GraphRequest,
  context: Context,
): Promise<ReleasesReport> {
  const { channel, architecture } = request;
  const graph = await withGraphs(request, context, (graphOf) => graphOf(channel));
  if (graph.releases.length === 0) throw unknownChannel(request);
  return { channel, architecture, graph };
}

/**
 * The way from one release to another in a channel.
 * @throws BundleError NOT_FOUND for a release that the channel does not have, or where no path
 * leads to it; USAGE for an accepted risk that no update has; as {@link listReleases}
 */
export async function planPath(request: PathRequest, context: Context): Promise<PathReport> {
  const { channel, architecture, from, to, acceptedRisks } = request;
  const place = channel ?? request.file ?? 'the graph';
  return withGraphs(request, context, async (graphOf) => {
    const graph = await graphOf(channel);
    if (graph.releases.length === 0) throw unknownChannel(request);
    for (const version of [from, to])
      if (graph.release(version) === undefined) throw await unknownVersion(version);
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
      file: request.file,
      alternatives: shortest.steps.length < path.steps.length ? [shortest] : [],
    };

    /** Every channel that may have a release of that minor version, but the one that was asked. */
    function otherChannels(version: string): readonly string[] {
      if (request.file !== undefined) return [];
      return CHANNEL_KINDS.map((kind) => `${kind}-${minorOf(version)}`).filter(
        (name) => name !== channel,
      );
    }

    async function unknownVersion(version: string): Promise<BundleError> {
      let channels: readonly string[] = [];
      for (const other of otherChannels(version)) {
        const release = (await graphOf(other)).release(version);
        if (release === undefined) continue;
        channels = release.channels.length > 0 ? release.channels : [other];
        break;
      }
      const nearest = nearestTo(version, graph.releases);
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

/** Runs `work` with a way to get the graph of any channel; of a file there is one graph. */
async function withGraphs<T>(
  request: GraphRequest,
  context: Context,
  work: (graphOf: (channel: string | undefined) => Promise<UpdateGraph>) => Promise<T>,
): Promise<T> {
  const { file, serviceArchitecture: architecture = 'amd64' } = request;
  if (file !== undefined) {
    const bytes = await readGivenFile(file, MAX_GRAPH_BYTES);
    const whole = parseGraph(bytes, file);
    return work(async (channel) => (channel === undefined ? whole : inChannel(whole, channel)));
  }
  const service = await UpdateService.open(request.serviceUrl, request.connection, context);
  const { signal, observe } = context;
  try {
    return await work(async (channel) => {
      if (channel === undefined) throw noChannel();
      observe({ type: 'phase', what: `asking for the releases of ${channel}` });
      return service.graph({ channel, architecture }, signal);
    });
  } finally {
    await service.close();
  }
}

/** A service drops what a channel does not have; a file may hold more. */
function inChannel({ releases, edges }: UpdateGraph, channel: string): UpdateGraph {
  const isIn = ({ channels }: GraphRelease): boolean =>
    channels.length === 0 || channels.includes(channel);
  const kept = releases.filter(isIn);
  const versions = new Set(kept.map(({ version }) => version));
  return new UpdateGraph(
    kept,
    edges.filter(({ from, to }) => versions.has(from) && versions.has(to)),
  );
}

/** The releases next to a version, in their order. */
function nearestTo(version: string, releases: readonly GraphRelease[]): readonly string[] {
  const behind = releases.findIndex((release) => compareVersions(release.version, version) > 0);
  const at = behind === -1 ? releases.length : behind;
  const first = Math.max(0, Math.min(at - Math.floor(NEAREST / 2), releases.length - NEAREST));
  return releases.slice(first, first + NEAREST).map((release) => release.version);
}

function newestReachable(graph: UpdateGraph, from: string): string | undefined {
  const others = [...graph.reachableFrom(from)].filter((version) => version !== from);
  return others.toSorted(compareVersions).at(-1);
}

function requireRisk({ edges }: UpdateGraph, name: string): void {
  const names = new Set(edges.flatMap(({ risks }) => risks.map((risk) => risk.name)));
  if (names.has(name)) return;
  throw new BundleError('USAGE', `--accept-risk ${name}: no update of the channel has this risk`, {
    expected:
      names.size === 0 ? 'none: its updates have no risks' : [...names].toSorted().join(', '),
    got: name,
  });
}

function noChannel(): BundleError {
  return new BundleError('USAGE', '--channel is missing', {
    hint: `${CHANNELS} With --graph FILE, everything in the file is listed.`,
  });
}

function unknownChannel({ channel, architecture, file, serviceUrl }: GraphRequest): BundleError {
  return new BundleError(
    'NOT_FOUND',
    `${file ?? serviceUrl} has no release of ${channel ?? 'any channel'}${architecture === undefined ? '' : ` for ${architecture}`}`,
    { hint: CHANNELS },
  );
}
