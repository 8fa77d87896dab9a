import type { Digest } from '../../src/core/digest.ts';
import type { Store } from '../../src/core/store.ts';
import { CREATED_SECONDS } from './created.ts';
import { Publisher } from './destination.ts';
import { type Image, makeImage, makeIndex } from './image.ts';
import { type Layer, randomLayer, textLayer } from './layer.ts';
import type { TarEntry } from './tar.ts';

/** How many operators a made catalog has, and what each of them consists of. */
export interface OperatorsShape {
  readonly operators: number;
  /**
   * Each version replaces the one before it in the one channel, `stable`. How many an operator has,
   * by its number, where they differ.
   */
  readonly versions: number | ((operator: number) => number);
  /** Images of each version beside its bundle image, all of them lists of all architectures. */
  readonly related: number;
  readonly architectures: readonly string[];
  /** Bytes of the layer that only one image of one architecture has. */
  readonly ownBytes: number;
  /** Bytes of the layer that all images of an architecture share. */
  readonly sharedBytes: number;
  /** Names the build of the catalog's own images: each build has other layers. */
  readonly build?: string;
}

/** An image of a made operator, where it is at `quay.io`. */
export interface OperatorImage {
  readonly operator: string;
  readonly version: string;
  readonly repository: string;
  readonly digest: Digest;
}

export interface MadeOperators {
  /** The digest of the catalog, which is `ops/index:v4.17`. */
  readonly index: Digest;
  readonly images: readonly OperatorImage[];
  /** Repositories that content was put into, that of the catalog among them. */
  readonly repositories: readonly string[];
  /** Different blobs, manifests among them, and their bytes. */
  readonly blobs: number;
  readonly bytes: number;
}

const REGISTRY = 'quay.io';
const INDEX = { repository: 'ops/index', tag: 'v4.17' } as const;
const LABEL = 'operators.operatorframework.io.index.configs.v1';

/**
 * Makes a catalog of operators with all of their images: `op-000`, `op-001` and so on, in versions
 * 1.0.0, 1.1.0 and so on.
 * @param storeOf the store of a repository.
 */
export async function makeOperators(
  storeOf: (repository: string) => Store,
  shape: OperatorsShape,
): Promise<MadeOperators> {
  const publisher = new Publisher();
  const shared = new Map<string, Layer>();
  for (const architecture of shape.architectures)
    shared.set(
      architecture,
      await randomLayer(`base of ${architecture}`, 'usr', shape.sharedBytes),
    );
  const images: OperatorImage[] = [];
  const files: TarEntry[] = [];
  for (let number = 0; number < shape.operators; number += 1) {
    const operator = `op-${String(number).padStart(3, '0')}`;
    const { versions: all } = shape;
    const versions = typeof all === 'number' ? all : all(number);
    const documents: object[] = [
      { schema: 'olm.package', name: operator, defaultChannel: 'stable' },
      channelOf(operator, versions),
    ];
    for (let minor = 0; minor < versions; minor += 1) {
      const version = `1.${minor}.0`;
      const put = async (name: string, image: Image): Promise<string> => {
        const repository = `ops/${name}`;
        await publisher.publish(storeOf(repository), image);
        const { digest } = image.descriptor;
        images.push({ operator, version, repository, digest });
        return `${REGISTRY}/${repository}@${digest}`;
      };
      const bundle = await put(`${operator}-bundle`, await bundleImage(operator, version));
      const related: string[] = [];
      for (let at = 0; at < shape.related; at += 1) {
        const name = `${operator}-image-${at}`;
        related.push(await put(name, await listOf(`${name} ${version}`, shape, shared)));
      }
      documents.push(bundleDocument({ operator, version, bundle, related }));
    }
    files.push(documentsOf(operator, documents));
  }
  const index = await catalogImage(textLayer(files), shape);
  await publisher.publish(storeOf(INDEX.repository), index, INDEX.tag);
  const { blobs, bytes } = publisher;
  const repositories = [...new Set([INDEX.repository, ...images.map((one) => one.repository)])];
  return { index: index.descriptor.digest, images, repositories, blobs, bytes };
}

function channelOf(operator: string, versions: number): object {
  const name = (minor: number): string => `${operator}.v1.${minor}.0`;
  return {
    ...{ schema: 'olm.channel', package: operator, name: 'stable' },
    entries: Array.from({ length: versions }, (_, minor) => ({
      name: name(minor),
      ...(minor > 0 && { replaces: name(minor - 1) }),
    })),
  };
}

function bundleDocument({
  operator,
  version,
  bundle,
  related,
}: {
  readonly operator: string;
  readonly version: string;
  readonly bundle: string;
  readonly related: readonly string[];
}): object {
  return {
    ...{ schema: 'olm.bundle', package: operator, name: `${operator}.v${version}`, image: bundle },
    properties: [{ type: 'olm.package', value: { packageName: operator, version } }],
    relatedImages: [bundle, ...related].map((image, at) => ({ name: `image-${at}`, image })),
  };
}

/** The documents of one operator, as a file of the catalog. */
function documentsOf(operator: string, documents: readonly object[]): TarEntry {
  const bytes = Buffer.from(documents.map((one) => `${JSON.stringify(one)}\n`).join(''));
  return {
    ...{ name: `configs/${operator}/catalog.json`, type: 'file', size: bytes.length },
    ...{ mode: 0o644, mtime: CREATED_SECONDS, content: [bytes] },
  };
}

async function catalogImage(
  documents: Layer,
  { architectures, build = '' }: OperatorsShape,
): Promise<Image> {
  const images = [];
  for (const architecture of architectures) {
    const layers = [await randomLayer(`opm ${build}${architecture}`, 'bin', 5000), documents];
    const image = makeImage('docker', architecture, layers, { [LABEL]: '/configs' });
    images.push({ architecture, image });
  }
  return makeIndex('docker', images);
}

/** A bundle image has manifests of Kubernetes alone, and so no architecture that matters. */
async function bundleImage(operator: string, version: string): Promise<Image> {
  const layer = await randomLayer(`bundle ${operator} ${version}`, 'manifests', 600);
  return makeImage('docker', 'amd64', [layer], { operator, version });
}

async function listOf(
  name: string,
  { architectures, ownBytes }: OperatorsShape,
  shared: ReadonlyMap<string, Layer>,
): Promise<Image> {
  const images = [];
  for (const architecture of architectures) {
    const own = await randomLayer(`${name} ${architecture}`, 'app', ownBytes);
    const layers = [shared.get(architecture)!, own];
    images.push({ architecture, image: makeImage('oci', architecture, layers, { name }) });
  }
  return makeIndex('oci', images);
}

/** An image set that takes these operators of the made catalog, each in its newest version. */
export function operatorSet(operators: readonly string[]): string {
  return [
    'apiVersion: mirror.openshift.io/v2alpha1',
    'kind: ImageSetConfiguration',
    'mirror:',
    '  operators:',
    `    - catalog: quay.io/${INDEX.repository}:${INDEX.tag}`,
    '      packages:',
    ...[...new Set(operators)].map((operator) => `        - name: ${operator}`),
    '',
  ].join('\n');
}
