import type { ClusterFacts } from '../../../cluster/facts.ts';
import { compareVersions } from '../../../updates/version-order.ts';
import type { PartAtCluster } from '../../at-cluster.ts';
import { ociArchitecture } from '../architecture.ts';
import type { ReleaseFacts } from '../payload/release-image.ts';

/**
 * How a release stands to a cluster. Releases are compared by digest: where they were mirrored to
 * does not matter, and one version has another release image for each architecture.
 * @param explicit the commands that name the release image by digest.
 */
export function releaseAtCluster(
  { version, architecture, digest }: ReleaseFacts,
  { version: said, architectures }: ClusterFacts,
  explicit: readonly string[],
): PartAtCluster {
  if (said === undefined) return { standing: 'not-known', commands: explicit };
  const isIt = ({ image }: { readonly image: string }): boolean => image.endsWith(`@${digest}`);
  if (isIt(said.desired)) {
    return {
      standing: said.version === said.desired.version ? 'running' : 'updating',
      commands: [],
    };
  }
  // While a cluster installs, its ClusterVersion may say nothing yet.
  const runs = [said.desired.version, said.version].find(isVersion);
  if (runs !== undefined && compareVersions(version, runs) < 0)
    return { standing: 'older', commands: [] };
  const nodes = ociArchitecture(architecture);
  if (nodes !== undefined && architectures.some((name) => name !== nodes)) {
    return { standing: 'other-architecture', commands: [] };
  }
  const update = `oc adm upgrade --to ${version}`;
  if (said.updates.some(isIt)) return { standing: 'recommended', commands: [update] };
  const risk = said.risky.find(isIt);
  if (risk !== undefined) {
    const { reason, message } = risk;
    const commands = [`${update} --allow-not-recommended`];
    return { standing: 'risky', risk: { reason, message }, commands };
  }
  return { standing: runs === undefined ? 'not-known' : 'not-offered', commands: explicit };
}

/** As far as versions of releases are compared. */
function isVersion(text: string | undefined): text is string {
  return text !== undefined && /^[0-9]+\.[0-9]+\.[0-9]+(?:[-+]|$)/.test(text);
}
