import { BundleError } from '../../core/errors.ts';
import { type KnownRelease, serviceAnswer } from '../../updates/graph-data/evaluate.ts';
import { graphOf, type UpdateEdge, type UpdateGraph } from '../../updates/graph.ts';
import { findPath } from '../../updates/path.ts';
import { compareVersions } from '../../updates/version-order.ts';
import type { Part } from '../kind.ts';
import { type Architecture, ociArchitecture } from '../release/architecture.ts';
import { RELEASE } from '../release/expand.ts';
import type { ReleaseFacts } from '../release/payload/release-image.ts';
import { GRAPH, type GraphFacts } from './expand.ts';

/** Which updates are looked for in the answer of the update service of the closed side. */
export interface OffersRequest {
  readonly channel: string;
  /** The release that the clusters run, and the one that they are to run. */
  readonly update?: { readonly from: string; readonly to: string } | undefined;
}

/** What a cluster without telemetry makes of an update that it is offered. */
export type Standing = 'recommended' | 'not recommended' | 'unknown';

export interface Offer {
  readonly from: string;
  readonly to: string;
  readonly standing: Standing;
  /** Names of risks. */
  readonly risks: readonly string[];
}

/** What the update service offers to clusters of one architecture. */
export interface Offers {
  readonly channel: string;
  readonly architecture: Architecture;
  readonly offers: readonly Offer[];
  /** A release that the bundle does not hold, and that the service has to know all the same. */
  readonly assumed: string | undefined;
}

/**
 * What an update service answers that has exactly the releases and the graph data of a bundle.
 * @returns none without graph data.
 * @throws BundleError NOT_FOUND where the clusters could not walk the path that the bundle is for,
 * or are not offered its newest release.
 */
export function offersOf(parts: readonly Part[], request: OffersRequest): readonly Offers[] {
  const graphs = parts.filter(({ kind }) => kind === GRAPH) as readonly Part<GraphFacts>[];
  const releases = (
    parts.filter(({ kind }) => kind === RELEASE) as readonly Part<ReleaseFacts>[]
  ).map(({ facts }) => facts);
  const architectures = [...new Set(releases.map(({ architecture }) => architecture))];
  return graphs.flatMap(({ facts }) =>
    architectures.map((architecture) => {
      const own = releases.filter((release) => release.architecture === architecture);
      return offersFor(facts, own, architecture, request);
    }),
  );
}

function offersFor(
  { data }: GraphFacts,
  releases: readonly ReleaseFacts[],
  architecture: Architecture,
  { channel, update }: OffersRequest,
): Offers {
  const known = releases.map(({ version, digest, previous }): KnownRelease => ({
    version,
    payload: digest,
    previous,
  }));
  const isHeld = known.some(({ version }) => version === update?.from);
  // A cluster runs it, so the site has it; without it the service would know nothing of the cluster.
  const assumed = update === undefined || isHeld ? undefined : update.from;
  const all =
    assumed === undefined ? known : [...known, { version: assumed, payload: '-', previous: [] }];
  const versions = newestFirst(all.map(({ version }) => version));
  const scope = { channel, architecture: ociArchitecture(architecture) ?? architecture };
  const graph = graphOf(serviceAnswer(data, all, scope), 'the answer of the update service');
  const where = `the update service of the closed side, in ${channel} for ${architecture},`;
  // Of a path every release is needed; of others the newest.
  const missing = (update === undefined ? versions.slice(0, 1) : versions).find(
    (version) => graph.release(version) === undefined,
  );
  if (missing !== undefined)
    throw lacking(`${where} would not know ${missing}: the graph data does not have it there`);
  if (update !== undefined && findPath(graph, update.from, update.to) === undefined) {
    throw lacking(
      `${where} would offer no way from ${update.from} to ${update.to}: ` +
        `the newest release that it leads to is ${newestFrom(graph, update.from)}`,
    );
  }
  return { channel, architecture, offers: graph.edges.map(offerOf), assumed };
}

function newestFirst(versions: readonly string[]): readonly string[] {
  return versions.toSorted((a, b) => compareVersions(b, a));
}

function newestFrom(graph: UpdateGraph, from: string): string {
  return newestFirst([...graph.reachableFrom(from)])[0]!;
}

/** A query needs data that a disconnected cluster does not have. */
function offerOf({ from, to, risks }: UpdateEdge): Offer {
  const standing = risks.some(({ evaluable }) => evaluable) ? 'not recommended' : 'unknown';
  return {
    ...{ from, to, risks: risks.map(({ name }) => name) },
    standing: risks.length === 0 ? 'recommended' : standing,
  };
}

function lacking(why: string): BundleError {
  return new BundleError('NOT_FOUND', why, {
    hint:
      'Name graph data that is at least as new as the newest release with --graph-data, or another ' +
      'channel; or leave the graph out with --no-graph-data.',
  });
}
