import type { JsonObject } from '../../core/json.ts';
import { compareText } from '../../core/text.ts';
import { type Block, type BlockRisk, channelsOf, type GraphData } from './data.ts';

/** A release image that an update service has found in its repository. */
export interface KnownRelease {
  readonly version: string;
  /** A reference by digest. */
  readonly payload: string;
  /** The releases that it says it can be updated from. */
  readonly previous: readonly string[];
  /** The page of its errata. */
  readonly url?: string | undefined;
}

/** Which clusters ask. */
export interface AnswerTo {
  /** All releases where it is left out. */
  readonly channel: string | undefined;
  /** As in image configs: `amd64`; or `multi`. */
  readonly architecture: string;
}

/** The JSON document of an update service, sorted. */
export interface ServiceAnswer extends JsonObject {
  readonly version: 1;
  readonly nodes: readonly JsonObject[];
  readonly edges: readonly (readonly [number, number])[];
  readonly conditionalEdges: readonly JsonObject[];
}

/**
 * What an update service (Cincinnati) answers that has these releases and this graph data:
 *
 * - an update exists because the release that it leads to names the other one, and both are there;
 * - where a file of graph data blocks updates to a release, the last file of those decides;
 * - a risk counts for every update that the release names, be it blocked or not: one that is blocked
 *   and has a risk is offered with the risk;
 * - only releases of the channel, and updates between them, are in the answer.
 *
 * @param releases all of the architecture that is asked for.
 */
export function serviceAnswer(
  data: GraphData,
  releases: readonly KnownRelease[],
  { channel, architecture }: AnswerTo,
): ServiceAnswer {
  const byVersion = new Map(releases.map((release) => [release.version, release]));
  const isIn = ({ version }: KnownRelease): boolean =>
    channel === undefined || channelsOf(data, version, architecture).includes(channel);
  const kept = [...byVersion.values()].filter(isIn).toSorted(byText);
  const places = new Map(kept.map(({ version }, index) => [version, index]));
  const edges: (readonly [number, number])[] = [];
  const groups = new Map<string, { edges: { from: string; to: string }[]; risks: BlockRisk[] }>();
  for (const { version: to, previous } of kept) {
    const blocks = data.blocks.filter((block) => concerns(block, to, architecture));
    const last = blocks.findLast(({ risk }) => risk === undefined);
    const own = new Set(previous);
    const { added = [], removed = [] } = data.previous.get(to) ?? {};
    for (const from of [...new Set([...previous, ...added])].toSorted(compareText)) {
      const place = places.get(from);
      if (place === undefined || from === to) continue;
      const full = `${from}+${architecture}`;
      const risks = blocks.flatMap(({ risk, from: pattern }) =>
        risk !== undefined && own.has(from) && pattern.test(full) ? risk : [],
      );
      if (risks.length > 0) {
        const key = JSON.stringify(risks);
        const group = groups.get(key) ?? { edges: [], risks };
        groups.set(key, group);
        group.edges.push({ from, to });
      } else if (!removed.includes(from) && !removed.includes('*') && !last?.from.test(full)) {
        edges.push([place, places.get(to)!]);
      }
    }
  }
  return {
    version: 1,
    nodes: kept.map(({ version, payload, url }) => ({
      ...{ version, payload },
      metadata: {
        'io.openshift.upgrades.graph.release.channels': channelsOf(
          data,
          version,
          architecture,
        ).join(','),
        ...(url !== undefined && { url }),
      },
    })),
    edges: edges.toSorted(([a, b], [c, d]) => a - c || b - d),
    conditionalEdges: [...groups.values()].map((group) => ({
      edges: group.edges,
      risks: group.risks.map((risk) => ({ ...risk })),
    })),
  };
}

/**
 * Whether a file blocks updates to a release. Some files of 2020 write the architecture as if it
 * were a pre-release: `4.2.11-s390x`.
 */
export function concerns({ to }: Block, version: string, architecture: string): boolean {
  return (
    to === version || to === `${version}+${architecture}` || to === `${version}-${architecture}`
  );
}

function byText(a: KnownRelease, b: KnownRelease): number {
  return compareText(a.version, b.version);
}
