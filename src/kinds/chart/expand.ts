import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { isObject, parseStrictJson } from '../../core/json.ts';
import { MAX_CHART_FILE_BYTES } from '../../core/limits.ts';
import { formatReference, parseReference } from '../../core/reference.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import type { WalkedImage } from '../../transfer/image.ts';
import { fetchVerified } from '../../transfer/verified.ts';
import { MadeStore } from '../../building/made-store.ts';
import { nameOfImage } from '../image/request.ts';
import type { WantedImage } from '../holes.ts';
import type { Part, Walk } from '../kind.ts';
import { walkImages } from '../walk-images.ts';
import type { ContentSource } from '../sources.ts';
import { CHART_CONFIG, tagOfVersion } from './artifact.ts';
import { chartClaim, type ChartFacts, type ChartSeed, identityOf } from './claim.ts';

/** The kind of charts in rows of `bundle.json`. */
export const CHART = 'chart';

/**
 * Fetches the manifests of a chart and of its images, and checks that the chart is the one of its
 * row.
 * @throws BundleError CLOSURE_MISMATCH for another chart, and naming the image
 */
export async function expandChart(
  { descriptor, made, ...facts }: ChartSeed,
  content: ContentSource,
  walk: Walk,
): Promise<Part<ChartFacts>> {
  const { name, version, artifact, path, tag, origin } = facts;
  const { walker, attached, signal } = walk;
  const isMade = made.length > 0 && content.holdsMade !== true;
  const root = isMade ? new MadeStore(content.root, made) : content.root;
  const chart = await walker.walkOne({
    ...{ name: `${name}-${tagOfVersion(version)}`, role: CHART, tags: [tag], store: root },
    descriptor: descriptor ?? (await root.resolve(artifact, { signal })),
    source: sourceOf(origin, artifact, name),
    ...{ place: `/${path}`, proof: 'signer', order: 'last' },
  });
  await checkChart(chart, facts, root, walk);
  const wanted = facts.images.map((image): WantedImage => {
    const { registry, repository } = image.reference;
    const { digest, absent, tag: as } = image;
    const store = content.storeOf({ registry, repository });
    const own = nameOfImage(image);
    return {
      ...{ name: own, role: 'chart-image', tags: [as], store, digest, absent },
      source: digest === undefined ? own : formatReference({ registry, repository, digest }),
      ...{ place: `/${image.path}`, proof: 'signer', order: 'first' },
    };
  });
  const { images, holes } = await walkImages(wanted, walk);
  const { manifest } = chart.tree;
  return {
    ...{ kind: CHART, label: chartLabel(name, version), facts },
    names: [name, `${name}-${version}`, identityOf(facts)],
    claim: chartClaim(facts),
    // What was made here, nobody has signed.
    images: isOfRegistry(origin)
      ? await attached.addTo([...images, chart])
      : [...(await attached.addTo(images)), chart],
    holes,
    files: [],
    leading: manifest.kind === 'index' ? [] : [manifest.config],
  };
}

/** How reports call a chart. */
export function chartLabel(name: string, version: string): string {
  return `chart ${name} ${version}`;
}

const OF_REGISTRY = 'oci://';

function isOfRegistry(origin: string | undefined): origin is string {
  return origin?.startsWith(OF_REGISTRY) === true;
}

/** A chart of a classic repository is in no registry: what podman calls images of its host. */
function sourceOf(origin: string | undefined, digest: Digest, name: string): string {
  if (!isOfRegistry(origin)) return `localhost/charts/${name.toLowerCase()}@${digest}`;
  const { registry, repository } = parseReference(origin.slice(OF_REGISTRY.length));
  return formatReference({ registry, repository, digest });
}

async function checkChart(
  { tree: { manifest } }: WalkedImage,
  { name, version }: ChartFacts,
  store: ReadOnlyStore,
  walk: Walk,
): Promise<void> {
  if (manifest.kind === 'index' || manifest.config.mediaType !== CHART_CONFIG)
    throw foreign(name, 'it is no Helm chart');
  if (manifest.config.size > MAX_CHART_FILE_BYTES) throw foreign(name, 'its config is too large');
  const config = parseStrictJson(await fetchVerified(store, manifest.config, walk), 'the chart');
  if (!isObject(config) || config['name'] !== name || config['version'] !== version)
    throw foreign(name, 'its config names another one');
}

function foreign(name: string, why: string): BundleError {
  return new BundleError('CLOSURE_MISMATCH', `the chart ${name} is not what its row says: ${why}`, {
    hint: 'This program did not make the bundle from this chart: do not use it.',
  });
}
