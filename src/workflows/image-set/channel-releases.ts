import type { Context } from '../../core/context.ts';
import { compareText } from '../../core/text.ts';
import { type GraphRequest, withGraphs } from '../../network/graph-source.ts';
import type { GraphRelease } from '../../updates/graph.ts';
import { type ReleaseRange, releasesBetween, selectReleases } from '../../updates/select.ts';
import { compareVersions } from '../../updates/version-order.ts';

export interface ChannelReleasesRequest extends Omit<GraphRequest, 'channel' | 'usualChannel'> {
  readonly ranges: readonly ReleaseRange[];
  /** Names of risks that do not count. */
  readonly acceptedRisks: readonly string[];
}

/**
 * Chooses releases of channels, for one architecture. Of several channels, the update from the first
 * release of all to the last one is added: a cluster has to pass it.
 * @returns each release once, the oldest first.
 * @throws BundleError NOT_FOUND where a channel has none of them; as graphs are read
 */
export async function channelReleases(
  request: ChannelReleasesRequest,
  context: Context,
): Promise<readonly GraphRelease[]> {
  const { ranges, acceptedRisks, architecture = 'x86_64' } = request;
  const accepted = new Set(acceptedRisks);
  const { observe } = context;
  const asked = { ...request, channel: undefined, usualChannel: undefined };
  return withGraphs(asked, context, async (graphs) => {
    const found = new Map<string, GraphRelease>();
    const add = (releases: readonly GraphRelease[]): void => {
      for (const release of releases) found.set(release.version, release);
    };
    const told = (
      channel: string,
      { releases, risks }: { releases: readonly GraphRelease[]; risks: readonly string[] },
    ): void => {
      const versions = releases.map(({ version }) => version);
      observe({ type: 'noticed', code: 'channel-chosen', channel, architecture, versions, risks });
    };
    let newest: { readonly version: string; readonly channel: string } | undefined;
    for (const range of ranges) {
      const { minVersion: from, maxVersion: to, channel } = range;
      const between = from === undefined || to === undefined ? undefined : { from, to };
      const { graph } = await graphs.of(channel, between);
      const selected = selectReleases(graph, range, accepted);
      told(channel, selected);
      add(selected.releases);
      const { version } = selected.releases.at(-1)!;
      if (newest === undefined || compareVersions(version, newest.version) > 0)
        newest = { version, channel };
    }
    const first = sorted(found.values())[0];
    if (ranges.length > 1 && first !== undefined && newest !== undefined) {
      const { version: to, channel } = newest;
      const { version: from } = first;
      const { graph } = await graphs.of(channel, { from, to });
      const path = releasesBetween(graph, from, to, accepted);
      if (path === undefined)
        observe({ type: 'noticed', code: 'no-update-path', from, to, channel });
      else {
        add(path.releases);
        told(channel, path);
      }
    }
    return sorted(found.values());
  });
}

function sorted(releases: Iterable<GraphRelease>): readonly GraphRelease[] {
  return [...releases].toSorted(
    (a, b) => compareVersions(a.version, b.version) || compareText(a.version, b.version),
  );
}
