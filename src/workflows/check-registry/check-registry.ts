import type { Context } from '../../core/context.ts';
import { type BundleError, gravest } from '../../core/errors.ts';
import { formatRepository, type RepositoryName } from '../../core/reference.ts';
import type { Destinations } from '../../kinds/destinations.ts';
import { Network, type NetworkOptions } from '../../network/network.ts';
import type { RepositoryProbe } from '../../stores/registry/probe.ts';
import { findAbilities, findRegistry } from './abilities.ts';
import { findAccess, findClusterAccess } from './access.ts';
import { type Check, Findings } from './findings.ts';

/** Somebody waits for the report: a registry that takes longer than this is not usable. */
const ANSWER_MS = 30_000;

export interface CheckRegistryRequest {
  readonly destinations: Destinations;
  /**
   * Whether a graph image has to fit too. Otherwise its repository is looked at all the same, and
   * what is wrong there is told as something that not every bundle needs.
   */
  readonly needsGraph: boolean;
  /**
   * The pull secret that clusters will have: has to be able to read, and must not be able to write.
   */
  readonly clusterAuthfile: string | undefined;
  readonly network: NetworkOptions;
}

export interface CheckRegistryReport {
  readonly registry: string;
  /** Those for release images, for components and for graph images, as far as they differ. */
  readonly repositories: readonly string[];
  /** The kind of registry, where it is one with peculiarities. */
  readonly product: string | undefined;
  readonly checks: readonly Check[];
  /** The gravest of what is bad; `undefined` where the target will do. */
  readonly failure: BundleError | undefined;
}

/**
 * Finds out, before the media travel, whether a release can be unpacked to a registry. Uploads are
 * started and given up: nothing is left there. What is bad is in the report, not thrown.
 * @throws BundleError CONFIGURATION, NOT_FOUND for auth files and certificates.
 */
export async function checkRegistry(
  request: CheckRegistryRequest,
  context: Context,
): Promise<CheckRegistryReport> {
  const { destinations, clusterAuthfile, needsGraph } = request;
  const options = { ...request.network, answerMs: ANSWER_MS };
  const { entry, content, graph } = destinations;
  const names = different([entry, content]);
  const all = different([...names, graph]);
  const network = await Network.open(options, context);
  const cluster =
    clusterAuthfile === undefined
      ? undefined
      : await Network.open({ ...options, authfile: clusterAuthfile }, context);
  try {
    const probes = names.map((name) => network.probe(name));
    const findings = new Findings(
      context,
      probes.map(({ name }) => name),
    );
    const { isReached, product } = await findRegistry(entry.registry, probes, findings);
    const { checks } = findings;
    if (isReached) {
      if (await findAccess(probes, findings)) await findAbilities(probes, findings);
      const ofCluster = new Findings(context);
      for (const name of cluster === undefined ? [] : names)
        await findClusterAccess(cluster!.probe(name), ofCluster);
      checks.push(...ofCluster.checks);
      for (const name of all.slice(names.length)) {
        const found = await graphChecks(network.probe(name), cluster?.probe(name), context);
        checks.push(...(needsGraph ? found : found.map(forSomeBundles)));
      }
    }
    const failures = checks.flatMap(({ error }) => error ?? []);
    const failure = failures.length === 0 ? undefined : (gravest(failures) as BundleError);
    return {
      registry: entry.registry,
      repositories: all.map(formatRepository),
      product,
      checks,
      failure,
    };
  } finally {
    await network.close();
    await cluster?.close();
  }
}

/** Each repository once. */
function different(names: readonly RepositoryName[]): readonly RepositoryName[] {
  return [...new Map(names.map((name) => [name.repository, name])).values()];
}

/** The repository for graph images: it is a repository more, which may have to be made first. */
async function graphChecks(
  probe: RepositoryProbe,
  ofCluster: RepositoryProbe | undefined,
  context: Context,
): Promise<readonly Check[]> {
  const findings = new Findings(context, [probe.name]);
  await findAccess([probe], findings);
  const cluster = new Findings(context);
  if (ofCluster !== undefined) await findClusterAccess(ofCluster, cluster);
  return [...findings.checks, ...cluster.checks];
}

/**
 * What is wrong, as something that only bundles with an update graph need. That clusters can write
 * there is wrong for all.
 */
function forSomeBundles(found: Check): Check {
  const { error, ...check } = found;
  if (error === undefined || error.code === 'CONFIGURATION') return found;
  return {
    ...check,
    verdict: 'lacking',
    fact: `${check.fact} (only a bundle with an update graph needs this repository)`,
  };
}
