import { BundleError } from '../core/errors.ts';
import type { GraphRelease, UpdateGraph } from './graph.ts';
import { findPath, risksOf } from './path.ts';
import { compareVersions } from './version-order.ts';

/** Which releases of a channel are wanted. */
export interface ReleaseRange {
  readonly channel: string;
  readonly minVersion?: string | undefined;
  readonly maxVersion?: string | undefined;
  /** Without bounds: all of them. Else the newest alone is. */
  readonly full: boolean;
  /** Only those that an update from the first to the last passes, both included. */
  readonly shortestPath: boolean;
}

/** The releases that were chosen, the oldest first. */
export interface SelectedReleases {
  readonly releases: readonly GraphRelease[];
  /** Names of the risks of the updates between them, where a path was asked for. */
  readonly risks: readonly string[];
}

/**
 * Chooses releases of a channel after the rules of oc-mirror: an end that is not given is the first
 * or the last release of the channel, which has older minor versions too.
 * @param accepted names of risks that do not count.
 * @throws BundleError NOT_FOUND where nothing is chosen, an end of a path is no release of the
 * channel, or no path leads from one to the other
 */
export function selectReleases(
  graph: UpdateGraph,
  range: ReleaseRange,
  accepted: ReadonlySet<string> = new Set(),
): SelectedReleases {
  const { channel, minVersion, maxVersion, full, shortestPath } = range;
  const last = graph.releases.at(-1);
  if (last === undefined) {
    throw new BundleError('NOT_FOUND', `the channel ${channel} has no releases`, {
      hint: 'A channel is called like stable-4.17, eus-4.16, fast-4.17 or candidate-4.17.',
    });
  }
  if (minVersion === undefined && maxVersion === undefined && !full)
    return { releases: [last], risks: [] };
  if (shortestPath) {
    const from = minVersion ?? graph.releases[0]!.version;
    return onPath(graph, { channel, from, to: maxVersion ?? last.version }, accepted);
  }
  const releases = graph.releases.filter(
    ({ version }) =>
      (minVersion === undefined || compareVersions(version, minVersion) >= 0) &&
      (maxVersion === undefined || compareVersions(version, maxVersion) <= 0),
  );
  if (releases.length > 0) return { releases, risks: [] };
  const bounds = [
    ...(minVersion === undefined ? [] : [`from ${minVersion}`]),
    ...(maxVersion === undefined ? [] : [`to ${maxVersion}`]),
  ];
  throw new BundleError('NOT_FOUND', `the channel ${channel} has no release ${bounds.join(' ')}`, {
    expected: `one from ${graph.releases[0]!.version} to ${last.version}`,
    got: bounds.join(' '),
    hint: `bundle releases --channel ${channel} lists them.`,
  });
}

/** The releases of the update from one to another, both included; `undefined` where none leads. */
export function releasesBetween(
  graph: UpdateGraph,
  from: string,
  to: string,
  accepted: ReadonlySet<string> = new Set(),
): SelectedReleases | undefined {
  const path = findPath(graph, from, to, accepted);
  if (path === undefined) return undefined;
  const names = risksOf(path).map(({ risk }) => risk.name);
  return {
    releases: path.versions.map((version) => graph.release(version)!),
    risks: [...new Set(names)].filter((name) => !accepted.has(name)),
  };
}

function onPath(
  graph: UpdateGraph,
  { channel, from, to }: { readonly channel: string; readonly from: string; readonly to: string },
  accepted: ReadonlySet<string>,
): SelectedReleases {
  const absent = [from, to].find((version) => graph.release(version) === undefined);
  if (absent !== undefined) {
    throw new BundleError('NOT_FOUND', `the channel ${channel} has no release ${absent}`, {
      hint:
        `A shortest path begins and ends with releases of the channel. ` +
        `bundle releases --channel ${channel} lists them.`,
    });
  }
  const selected = releasesBetween(graph, from, to, accepted);
  if (selected !== undefined) return selected;
  throw new BundleError('NOT_FOUND', `${channel} has no path from ${from} to ${to}`, {
    hint:
      'Take other versions, or leave out shortestPath: then all releases between them are carried. ' +
      `bundle path ${from} ${to} --channel ${channel} says more.`,
  });
}
