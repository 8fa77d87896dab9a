import { formatBytes } from '../../core/text.ts';
import { dockerTypesHint } from '../../stores/registry/manifests/manifests.ts';
import type { RepositoryProbe } from '../../stores/registry/probe.ts';
import type { Finding, Findings } from './findings.ts';

/** Who the registry is, and how it is met. @returns the kind of registry, where it is known. */
export async function findRegistry(
  registry: string,
  probes: readonly RepositoryProbe[],
  findings: Findings,
): Promise<{ readonly isReached: boolean; readonly product: string | undefined }> {
  const [first] = probes;
  let product: string | undefined;
  const reached = await findings.find('reachable', registry, async () => {
    const { product: found, asks } = await first!.meet();
    product = found;
    const way = {
      nothing: 'asks for no credentials',
      basic: 'asks for a password',
      bearer: 'asks for a token',
    }[asks];
    return { verdict: 'good', fact: found === undefined ? way : `${found}, ${way}` };
  });
  if (reached !== 'good') return { isReached: false, product };
  await findings.find('TLS', registry, async () => {
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
    await findings.find('credentials', probe.name, async () => credentialsOf(probe));
  return { isReached: true, product };
}

/** What a registry can do with repositories that may be written to. */
export async function findAbilities(
  probes: readonly RepositoryProbe[],
  findings: Findings,
): Promise<void> {
  const { signal } = findings;
  const [first, second = first] = probes as readonly [RepositoryProbe, ...RepositoryProbe[]];
  await findings.find('mount', second.name, async () => {
    const status = await second.mountOfNothing(first, signal);
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
  await findChunks(first, findings);
  await findings.find('manifests', first.name, async () => manifestsOf(first, signal));
  await findings.find('referrers', first.name, async () => {
    const has = await first.referrers(signal);
    return {
      verdict: has ? 'good' : 'lacking',
      fact: has
        ? 'the API is there'
        : 'no referrers API, or no repository yet: unpack keeps the lists of signatures under tags',
    };
  });
}

async function credentialsOf(probe: RepositoryProbe): Promise<Finding> {
  const { known, places } = await probe.credentials();
  const looked =
    places.length === 0 ? 'no auth file was looked at' : `looked at ${places.join(', ')}`;
  if (known) return { verdict: 'good', fact: `known (${looked})` };
  const { asks } = await probe.meet();
  if (asks === 'nothing') return { verdict: 'good', fact: 'none needed' };
  return { verdict: 'unknown', fact: `none known (${looked})` };
}

/** Two findings of one upload: how large a request may be, and whether blobs can go up in chunks. */
async function findChunks(probe: RepositoryProbe, findings: Findings): Promise<void> {
  const { name } = probe;
  const chunks = await findings.look('largest request', name, async () => {
    const { largest, refusal, tells } = await probe.chunks(findings.signal);
    if (largest === 0) {
      findings.tell('largest request', name, {
        verdict: 'unknown',
        fact: 'not found out: no chunk is accepted, so each blob has to fit into one request',
      });
      return {
        verdict: 'lacking',
        fact: `not accepted, only whole blobs: ${refusal?.message ?? ''}`,
      };
    }
    const size = formatBytes(largest);
    findings.tell('largest request', name, {
      verdict: 'good',
      fact:
        refusal === undefined
          ? `${size} accepted, the largest size that is tried`
          : `${size} accepted, more refused: ${refusal.message}`,
    });
    return {
      verdict: 'good',
      fact: tells
        ? 'accepted; a broken upload can be continued'
        : 'accepted; a broken upload starts over',
    };
  });
  findings.tell('chunks', name, chunks);
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
  const sparse = takesSparse
    ? 'also lists with only some of their platforms'
    : 'but no list that lacks some of its platforms, which few bundles have';
  return { verdict: 'good', fact: `accepted: ${taken.join(', ')}; ${sparse}${rest}` };
}
