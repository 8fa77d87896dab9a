import type { BaseImage } from '../../building/image.ts';
import { MadeStore } from '../../building/made-store.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asObject, parseStrictJson } from '../../core/json.ts';
import { parseManifest } from '../../core/manifest.ts';
import { formatReference } from '../../core/reference.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import type { WalkedImage } from '../../transfer/image.ts';
import { fetchVerified } from '../../transfer/verified.ts';
import { compareVersions } from '../../updates/version-order.ts';
import type { Part, Walk } from '../kind.ts';
import type { ContentSource } from '../sources.ts';
import { buildGraphImage } from './image.ts';
import { type GraphSeed, pathsOf } from './seed.ts';

/** The kind of graph data in rows of `bundle.json`. */
export const GRAPH = 'graph';

/** Nobody but a bundle has the graph image: this is what podman calls images of its host. */
const OWN = { registry: 'localhost', repository: 'openshift/graph-image' };

/** What reports say of graph data, and what it is for. */
export interface GraphFacts extends Pick<GraphSeed, 'digest' | 'data' | 'architectures'> {
  /** The graph image. */
  readonly image: Digest;
  /** The base image, by digest. */
  readonly base: string;
  readonly channels: number;
  /** The newest release that a channel has. */
  readonly newest: string | undefined;
}

/**
 * Builds the graph image out of graph data and a base image; on both sides of the air gap, so that
 * nothing is believed that a bundle says of it.
 * @throws BundleError NOT_FOUND where the base image lacks an architecture; UNSUPPORTED_CONTENT
 */
export async function expandGraph(
  seed: GraphSeed,
  content: ContentSource,
  walk: Walk,
): Promise<Part<GraphFacts>> {
  const { digest, archive, base, baseIndex, data, files } = seed;
  const store = content.root;
  const bases: BaseImage[] = [];
  const images: WalkedImage[] = [];
  const configs: Descriptor[] = [];
  for (const { architecture, descriptor } of await basesOf(seed, store, walk)) {
    const image = await walk.walker.walkOne({
      ...{ name: `graph-base-${architecture}`, role: 'graph-base', descriptor, tags: [], store },
      source: formatReference({ ...base, digest: descriptor.digest }),
      ...{ place: 'graph', proof: 'signer', order: 'first' },
    });
    const { manifest } = image.tree;
    if (manifest.kind === 'index')
      throw unusable(`the image for ${architecture} is an index itself`);
    const config = await fetchVerified(store, manifest.config, walk);
    if (baseIndex === undefined) checkArchitecture(config, seed);
    bases.push({ architecture, manifest, config });
    images.push(image);
    configs.push(manifest.config);
  }
  const { index, made } = buildGraphImage(files, bases);
  const short = hexOf(digest).slice(0, 12);
  const graphImage = await walk.walker.walkOne({
    ...{ name: 'graph-image', role: 'graph-image', descriptor: index },
    source: formatReference({ ...OWN, digest: index.digest }),
    tags: [`graph-${hexOf(index.digest).slice(0, 16)}`],
    ...{ place: 'graph', proof: 'signer', order: 'last' },
    store: content.holdsMade === true ? store : new MadeStore(store, made),
  });
  const facts: GraphFacts = {
    ...{ digest, data, architectures: seed.architectures, image: index.digest },
    base: formatReference(base),
    channels: data.channels.size,
    newest: newestOf([...data.channels.values()].flat()),
  };
  const paths = pathsOf(seed);
  return {
    ...{ kind: GRAPH, label: graphLabel(short), names: [GRAPH, digest], facts },
    claim: { digest, base: facts.base, architectures: facts.architectures },
    images: [...(await walk.attached.addTo(images)), graphImage],
    files: [
      { path: paths.data, role: 'graph-data', bytes: archive },
      ...(baseIndex === undefined
        ? []
        : [{ path: paths.baseIndex, role: 'graph-base', bytes: baseIndex }]),
    ],
    leading: configs,
  };
}

/** How reports call graph data. @param digest the first digits of it. */
export function graphLabel(digest: string): string {
  return `update graph ${digest}`;
}

interface BaseOf {
  readonly architecture: string;
  readonly descriptor: Descriptor;
}

/** The base image of each architecture. */
async function basesOf(
  { base, baseIndex, baseDescriptor, architectures }: GraphSeed,
  store: ReadOnlyStore,
  walk: Walk,
): Promise<readonly BaseOf[]> {
  checkArchitectures(architectures);
  if (baseIndex === undefined) {
    const descriptor =
      baseDescriptor ?? (await store.resolve(base.digest, { signal: walk.signal }));
    return [{ architecture: architectures[0]!, descriptor }];
  }
  const manifest = parseManifest(baseIndex);
  if (manifest.kind !== 'index') throw unusable(`${formatReference(base)} is no index`);
  return architectures.map((architecture) => {
    const found = manifest.manifests.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
    );
    if (found === undefined) throw lacking(base, architecture);
    const { mediaType, digest, size } = found;
    return { architecture, descriptor: { mediaType, digest, size } };
  });
}

function checkArchitectures(architectures: readonly string[]): void {
  const isOrdered = architectures.every((name, at) => name > (architectures[at - 1] ?? ''));
  if (isOrdered && architectures.length > 0) return;
  throw new BundleError('CLOSURE_MISMATCH', 'the architectures of the graph image have no order', {
    expected: 'at least one, sorted, none twice',
    got: architectures.join(', '),
  });
}

/** A base image that is no index tells by its config alone what it is for. */
function checkArchitecture(config: Uint8Array, { base, architectures }: GraphSeed): void {
  const { architecture } = asObject(parseStrictJson(config, 'config'), 'config');
  const missing = architectures.find((name) => name !== architecture);
  if (missing !== undefined) throw lacking(base, missing);
}

function newestOf(versions: readonly string[]): string | undefined {
  return versions.toSorted(compareVersions).at(-1)?.split('+')[0];
}

function lacking(base: GraphSeed['base'], architecture: string): BundleError {
  return new BundleError(
    'NOT_FOUND',
    `the base image ${formatReference(base)} has no image for ${architecture}`,
    { hint: 'Name another base image with --graph-data-base.' },
  );
}

function unusable(why: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `the base image cannot be used: ${why}`, {
    hint: 'Name another base image with --graph-data-base.',
  });
}
