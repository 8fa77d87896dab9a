import { BundleError, gravest, hasCode } from '../core/errors.ts';
import { formatRepository, type RepositoryName } from '../core/reference.ts';
import type { Destinations } from '../kinds/destinations.ts';
import { dockerTypesHint } from '../stores/registry/manifests/manifests.ts';
import type { RepositoryProbe } from '../stores/registry/probe.ts';
import type { Context } from '../core/context.ts';
import { Network, type NetworkOptions } from '../network/network.ts';
import { namingAll } from '../delivering/target-refusal.ts';

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

/**
 * `lacking`: the registry cannot do it, and an unpack gets along without. `unknown`: it could not
 * be found out.
 */
export type Verdict = 'good' | 'bad' | 'lacking' | 'unknown';

export interface Check {
  readonly check:
    | 'reachable'
    | 'TLS'
    | 'credentials'
    | 'pull'
    | 'push'
    | 'mount'
    | 'chunks'
    | 'largest request'
    | 'manifests'
    | 'referrers'
    | 'cluster';
  /** The registry or repository that it is about. */
  readonly subject: string;
  readonly verdict: Verdict;
  readonly fact: string;
  /** Only of what is bad. */
  readonly error?: BundleError;
}

type Finding = Pick<Check, 'verdict' | 'fact'> & { readonly error?: BundleError };

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
    const { product, checks } = await checksOf(entry.registry, probes, context);
    if (checks.every(({ check, verdict }) => check !== 'reachable' || verdict === 'good')) {
      const { signal } = context;
      for (const name of cluster === undefined ? [] : names)
        checks.push(await clusterCheck(cluster!.probe(name), signal));
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
  { signal, observe }: Context,
): Promise<readonly Check[]> {
  const checks: Check[] = [];
  const look: Look = async (check, subject, task) => {
    observe({ type: 'phase', what: `checking ${check} at ${subject}` });
    return caught(task, [probe.name], signal);
  };
  await findAccess([probe], checks, look, signal);
  if (ofCluster !== undefined) checks.push(await clusterCheck(ofCluster, signal));
  return checks;
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

/** Says what is looked at, and makes a finding of a failure. */
type Look = (
  check: Check['check'],
  subject: string,
  task: () => Promise<Finding>,
) => Promise<Finding>;

async function checksOf(
  registry: string,
  probes: readonly RepositoryProbe[],
  { signal, observe }: Context,
): Promise<{ product: string | undefined; checks: Check[] }> {
  const [first, second = first] = probes;
  const names = probes.map(({ name }) => name);
  const checks: Check[] = [];
  let product: string | undefined;
  const look: Look = async (check, subject, task) => {
    observe({ type: 'phase', what: `checking ${check} at ${subject}` });
    return caught(task, names, signal);
  };
  const find = async (...[check, subject, task]: Parameters<Look>): Promise<Verdict> => {
    const finding = await look(check, subject, task);
    checks.push({ check, subject, ...finding });
    return finding.verdict;
  };

  const isReached = await find('reachable', registry, async () => {
    const { product: found, asks } = await first!.meet();
    product = found;
    const way = {
      nothing: 'asks for no credentials',
      basic: 'asks for a password',
      bearer: 'asks for a token',
    }[asks];
    return { verdict: 'good', fact: found === undefined ? way : `${found}, ${way}` };
  });
  if (isReached !== 'good') return { product, checks };
  await find('TLS', registry, async () => {
    const { tls } = await first!.meet();
    if (tls === 'verified') return { verdict: 'good', fact: 'the certificate is verified' };
    return {
      verdict: 'lacking',
      fact:
        tls === 'none'
          ? 'plain HTTP: credentials and content are not encrypted'
          : 'the certificate is not verified',
    };
  });
  for (const probe of probes)
    await find('credentials', probe.name, async () => credentialsOf(probe));
  const isWritable = await findAccess(probes, checks, look, signal);
  if (!isWritable) return { product, checks };

  await find('mount', second!.name, async () => {
    const status = await second!.mountOfNothing(first!, signal);
    if (status === 202)
      return {
        verdict: 'good',
        fact: 'supported: blobs that both repositories need are uploaded once',
      };
    return {
      verdict: 'lacking',
      fact: `not supported (${status}): blobs that both repositories need are uploaded twice`,
    };
  });
  observe({ type: 'phase', what: `checking the largest request at ${first!.name}` });
  await findChunks(first!, checks, names, signal);
  await find('manifests', first!.name, async () => manifestsOf(first!, signal));
  await find('referrers', first!.name, async () => {
    const has = await first!.referrers(signal);
    return {
      verdict: has ? 'good' : 'lacking',
      fact: has
        ? 'the API is there'
        : 'no referrers API, or no repository yet: unpack keeps lists under tags',
    };
  });
  return { product, checks };
}

/**
 * Whether the repositories may be read and written to. Some registries refuse to be read where a
 * repository does not exist, and make it when somebody may push there. So one that cannot be read
 * is asked again after the push.
 */
async function findAccess(
  probes: readonly RepositoryProbe[],
  checks: Check[],
  look: Look,
  signal: AbortSignal,
): Promise<boolean> {
  const pulls = new Map<RepositoryProbe, Finding>();
  const pushes = new Map<RepositoryProbe, Finding>();
  const pull = async (probe: RepositoryProbe): Promise<Finding> =>
    look('pull', probe.name, async () => ({
      verdict: 'good',
      fact: (await probe.pull(signal)) ? 'can be read' : 'does not exist yet; access is allowed',
    }));
  for (const probe of probes) pulls.set(probe, await pull(probe));
  for (const probe of probes) {
    const push = await look('push', probe.name, async () => {
      await probe.push(signal);
      return { verdict: 'good', fact: 'an upload was started and cancelled' };
    });
    pushes.set(probe, push);
    const isRefused = hasCode(pulls.get(probe)!.error, 'NOT_ALLOWED');
    if (isRefused && push.verdict === 'good') pulls.set(probe, unlessRefused(await pull(probe)));
  }
  for (const [check, found] of [
    ['pull', pulls],
    ['push', pushes],
  ] as const)
    for (const [{ name }, finding] of found) checks.push({ check, subject: name, ...finding });
  return [...pushes.values()].every(({ verdict }) => verdict === 'good');
}

/** A push was allowed: what may not be read is not there yet, or can only be written to. */
function unlessRefused(finding: Finding): Finding {
  if (!hasCode(finding.error, 'NOT_ALLOWED')) return finding;
  const fact = `can be written to, but not read, so only with --replace-tags: ${finding.fact}`;
  return { verdict: 'unknown', fact };
}

async function credentialsOf(probe: RepositoryProbe): Promise<Finding> {
  const { known, places } = await probe.credentials();
  const looked =
    places.length === 0 ? 'no auth file was looked at' : `looked at ${places.join(', ')}`;
  if (known) return { verdict: 'good', fact: `known (${looked})` };
  const { asks } = await probe.meet();
  return { verdict: asks === 'nothing' ? 'good' : 'unknown', fact: `none known (${looked})` };
}

const MIB = 2 ** 20;

/** Two lines of one upload: whether a blob can go up in chunks, and how large a request may be. */
async function findChunks(
  probe: RepositoryProbe,
  checks: Check[],
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const subject = probe.name;
  const finding = await caught(
    async () => {
      const { largest, refusal, tells } = await probe.chunks(signal);
      const size = largest < MIB ? `${largest / 2 ** 10} KiB` : `${largest / MIB} MiB`;
      const passed =
        refusal === undefined
          ? `${size} accepted, the largest size that is tried`
          : `${size} accepted, more refused: ${refusal.message}`;
      if (largest === 0) {
        const unknown =
          'not found out: no chunk is accepted, so each blob has to fit into one request';
        checks.push({ check: 'largest request', subject, verdict: 'unknown', fact: unknown });
        return {
          verdict: 'lacking',
          fact: `not accepted, only whole blobs: ${refusal?.message ?? ''}`,
        };
      }
      checks.push({ check: 'largest request', subject, verdict: 'good', fact: passed });
      return {
        verdict: 'good',
        fact: tells
          ? 'accepted; a broken upload can be continued'
          : 'accepted; a broken upload starts over',
      };
    },
    names,
    signal,
  );
  checks.push({ check: 'chunks', subject, ...finding });
}

/** Which manifests the registry takes: the images of OpenShift have types of Docker. */
async function manifestsOf(probe: RepositoryProbe, signal: AbortSignal): Promise<Finding> {
  const { taken, takesSparse, refused, left } = await probe.manifestTypes(signal);
  const rest =
    left === undefined
      ? ''
      : `; ${left.digests.length} tiny manifests or blobs without a tag stay there (${left.why})`;
  const isDocker = refused.find(({ what }) => what.startsWith('Docker'));
  const image = refused.find(({ isList }) => !isList);
  if (image !== undefined) {
    const { what, error } = image;
    const told =
      image === isDocker && error.hint === undefined ? error.withHint(dockerTypesHint) : error;
    return { verdict: 'bad', fact: `${what}: ${error.message}${rest}`, error: told };
  }
  const names = refused.map(({ what }) => what).join(' and ');
  if (refused.length > 0) {
    return {
      verdict: 'lacking',
      fact: `${names} refused: no release for several architectures can be pushed${rest}`,
    };
  }
  const sparse = `lists of which some images are absent: ${takesSparse ? 'accepted' : 'refused'}`;
  return { verdict: 'good', fact: `accepted: ${taken.join(', ')}; ${sparse}${rest}` };
}

/** A cluster that can write to its mirror could be made to replace its own images. */
async function clusterCheck(probe: RepositoryProbe, signal: AbortSignal): Promise<Check> {
  const subject = probe.name;
  const finding = await caught(
    async () => {
      const isThere = await readable(probe, signal);
      try {
        await probe.push(signal);
      } catch (error) {
        if (!hasCode(error, 'NOT_ALLOWED')) throw error;
        return {
          verdict: 'good',
          fact: isThere
            ? 'can read, and cannot write'
            : 'can read when the repository exists, and cannot write',
        };
      }
      throw new BundleError('CONFIGURATION', `the cluster's pull secret can write to ${subject}`, {
        hint:
          'Give clusters an account that can only pull: with this one, ' +
          'anybody who reads the pull secret can replace what clusters install.',
      });
    },
    undefined,
    signal,
  );
  return { check: 'cluster', subject, ...finding };
}

/** Whether the repository exists; the advice is for a pull secret, which is to read alone. */
async function readable(probe: RepositoryProbe, signal: AbortSignal): Promise<boolean> {
  try {
    return await probe.pull(signal);
  } catch (error) {
    if (!hasCode(error, 'NOT_ALLOWED')) throw error;
    throw error.withHint(
      `The pull secret needs an account that may read ${probe.name}, and must not be able to ` +
        'write to it. Add such an account to the file.',
    );
  }
}

async function caught(
  task: () => Promise<Finding>,
  names: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<Finding> {
  try {
    return await task();
  } catch (thrown) {
    const error = names === undefined ? thrown : namingAll(thrown, names);
    if (!(error instanceof BundleError) || signal.aborted) throw error;
    return { verdict: 'bad', fact: error.message, error };
  }
}
