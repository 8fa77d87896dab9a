import { BundleError } from '../core/errors.ts';
import type { UpdateEdge, UpdateGraph } from './graph.ts';
import type { UpdatePath } from './path.ts';
import { compareVersions, minorOf } from './version-order.ts';

/** More releases than that cannot be told apart in a drawing. */
const MAX_RELEASES = 30;
/** A path is drawn whole up to that many. */
const MAX_PATH = 100;

/** The part of a graph that a drawing shows. */
export interface Excerpt {
  /** The oldest first. */
  readonly versions: readonly string[];
  readonly edges: readonly ExcerptEdge[];
  /** Releases between the ends that are left out. */
  readonly left: number;
}

export interface ExcerptEdge extends UpdateEdge {
  readonly isOnPath: boolean;
}

/**
 * What lies between the ends of a path: its releases, and the newest of the others through which
 * the last one can be reached. An update that only skips releases which are shown is left out,
 * since nearly every release can be updated to every later one: the arrows of the path stand out.
 * @throws BundleError USAGE for a path that is too long for a drawing.
 */
export function excerptAround(graph: UpdateGraph, { versions, steps }: UpdatePath): Excerpt {
  if (versions.length > MAX_PATH) {
    throw new BundleError('USAGE', `a path of ${versions.length} releases cannot be drawn`, {
      expected: `${MAX_PATH} releases at most`,
      hint: 'Leave --output out, or use --output json.',
    });
  }
  const [from, to] = [versions[0]!, versions.at(-1)!];
  const ahead = graph.reachableFrom(from);
  const behind = graph.leadingTo(to);
  const own = new Set(versions);
  const between = graph.releases
    .map(({ version }) => version)
    .filter((version) => ahead.has(version) && behind.has(version) && !own.has(version));
  const room = Math.max(0, MAX_RELEASES - own.size);
  const shown = new Set([...own, ...newestOfEach(between, room)]);
  const onPath = new Set(steps);
  const candidates = graph.edges.filter((edge) => shown.has(edge.from) && shown.has(edge.to));
  return {
    versions: [...shown].toSorted(compareVersions),
    edges: candidates
      .filter((edge) => onPath.has(edge) || !isShortcut(edge, candidates))
      .map((edge) => ({ ...edge, isOnPath: onPath.has(edge) })),
    left: between.length - (shown.size - own.size),
  };
}

/** The newest releases, of each minor version as many as of the others. */
function newestOfEach(versions: readonly string[], room: number): readonly string[] {
  const minors = new Map<string, string[]>();
  for (const version of versions.toReversed()) {
    const minor = minorOf(version);
    minors.set(minor, [...(minors.get(minor) ?? []), version]);
  }
  const chosen: string[] = [];
  for (let rank = 0; chosen.length < Math.min(room, versions.length); rank += 1) {
    for (const list of minors.values()) {
      const version = list[rank];
      if (version !== undefined && chosen.length < room) chosen.push(version);
    }
  }
  return chosen;
}

/** Whether two others lead to the same release, over one in between. */
function isShortcut({ from, to }: UpdateEdge, edges: readonly UpdateEdge[]): boolean {
  const middles = new Set(edges.filter((edge) => edge.from === from).map((edge) => edge.to));
  return edges.some((edge) => edge.to === to && middles.has(edge.from));
}
