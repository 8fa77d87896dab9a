import type { Digest } from '../../../src/core/digest.ts';
import { parseDigest } from '../../../src/core/digest.ts';
import { asString, type JsonObject } from '../../../src/core/json.ts';
import { signatureTagOf } from '../../../src/core/manifest.ts';
import {
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../../src/core/media-types.ts';
import {
  type Kind,
  type Part,
  type PartRequest,
  partRequest,
  type PartResources,
} from '../../../src/kinds/kind.ts';
import type { MemoryStore } from '../../../src/stores/memory.ts';
import type { ImageRequest } from '../../../src/transfer/image.ts';
import { EMPTY, type Held, held, imageIndex, referrerManifest } from '../../contract/content.ts';
import { fill } from '../../contract/store.ts';

interface Wanted {
  readonly name: string;
  readonly digest: Digest;
  readonly store: MemoryStore;
}

type Seed = Pick<Wanted, 'name' | 'digest'>;

const PARTS = 'com.example.parts';
const NOTHING: PartResources = { files: [], mirrors: [], section: () => [] };

/** What both kinds of part have in common: an image that names its part, at a place of its own. */
function kindOf(
  name: string,
  tagOf: (part: string) => string,
  placeOf: (part: string) => ImageRequest['place'],
): Kind<Wanted, Seed, Seed> {
  const read = (claim: JsonObject): Seed => ({
    name: asString(claim['version'], 'version'),
    digest: parseDigest(claim['digest']),
  });
  return {
    name,
    find: async ({ store, ...seed }) => ({ seed, content: { root: store, storeOf: () => store } }),
    read: async (claim) => read(claim),
    labelOf: ({ version }) => `${name} ${asString(version, 'version')}`,
    namesOf: ({ version }) => [asString(version, 'version')],
    packWords: () => [],
    digestOf: ({ digest }) => digest,
    async expand({ name: part, digest }, { root }, { walker, attached }): Promise<Part<Seed>> {
      const image = (own: Partial<ImageRequest>, of: ImageRequest['descriptor']): ImageRequest => ({
        ...{ name: part, role: name, tags: [tagOf(part)], place: placeOf(part) },
        ...{ proof: 'signer', order: 'last', descriptor: of, store: root },
        ...{ source: `example.com/made@${of.digest}`, ...own },
      });
      const top = await walker.walkOne(image({}, await root.resolve(digest)));
      const { annotations = {} } = JSON.parse(Buffer.from(top.tree.bytes).toString()) as {
        annotations?: Readonly<Record<string, string>>;
      };
      const rows = (annotations[PARTS] ?? '').split(' ').filter((row) => row !== '');
      const below = await Promise.all(
        rows.map(async (row) => {
          const [component = '', of = ''] = row.split('=');
          const own = `${part}-${component}`;
          const more = { name: own, role: 'component', tags: [own], order: 'first' } as const;
          const descriptor = await root.resolve(of);
          return walker.walkOne(image({ ...more, place: 'content' }, descriptor));
        }),
      );
      return {
        ...{ kind: name, label: `${name} ${part}`, names: [part, digest] },
        ...{ facts: { name: part, digest }, claim: { version: part, digest } },
        images: await attached.addTo([...below, top]),
        // As with releases: what the part is read from is in each bundle.
        ...{
          files: [],
          leading: top.tree.manifest.kind === 'manifest' ? [top.tree.manifest.config] : [],
        },
      };
    },
    compare: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
    bundleName: () => undefined,
    newerThan: () => [],
    resources: () => NOTHING,
  };
}

/** Small things of the shape of releases: an image that names the others by their digests. */
const releaseKind = kindOf(
  'release',
  (version) => `${version}-x86_64`,
  () => 'entry',
);
/** An image whose tag moves from build to build, in a repository of its own. */
const toolKind = kindOf(
  'tool',
  () => 'latest',
  (name) => `/team/${name}`,
);

export const MADE_KINDS = [releaseKind, toolKind] as unknown as readonly Kind[];

const COMPONENTS = ['api', 'cli', 'dns'] as const;

const layer = (text: string): Held => held(OCI_LAYER_GZIP, `layer ${text}`);

function manifest(
  name: string,
  layers: readonly Held[],
  annotations?: Readonly<Record<string, string>>,
): { readonly image: Held; readonly blobs: readonly Held[] } {
  const config = held(OCI_CONFIG, JSON.stringify({ os: 'linux', architecture: 'amd64', of: name }));
  const document = {
    ...{ schemaVersion: 2, mediaType: OCI_MANIFEST, config: config.descriptor },
    layers: layers.map(({ descriptor }) => descriptor),
    ...(annotations && { annotations }),
  };
  return { image: held(OCI_MANIFEST, JSON.stringify(document)), blobs: [config, ...layers] };
}

/** Two builds of a component share what is below it; all components of some builds share a base. */
async function component(store: MemoryStore, name: string, build: number): Promise<Held> {
  const below = [layer(`base ${build >> 1}`), layer(`of ${name}`)];
  const own = (what: string) =>
    manifest(`${name} ${build} ${what}`, [...below, layer(`${name} ${build} ${what}`)]);
  const add = async (
    held_: readonly Held[],
    manifests: readonly Held[],
    tags = {},
  ): Promise<void> => fill(store, { blobs: held_, manifests, tags });
  const first = own('amd64');
  if (name === 'dns') {
    const second = own('arm64');
    const index = imageIndex(OCI_INDEX, [
      { manifest: first.image, architecture: 'amd64' },
      { manifest: second.image, architecture: 'arm64' },
    ]);
    await add([...first.blobs, ...second.blobs], [first.image, second.image, index]);
    return index;
  }
  await add(first.blobs, [first.image]);
  if (name === 'api') {
    const { image, blobs } = manifest(`signature of api ${build}`, [layer('a signature of api')]);
    const { digest } = first.image.descriptor;
    await add(blobs, [image], { [signatureTagOf(digest)]: image.descriptor });
  } else {
    const sbom = layer(`sbom of ${name} ${build}`);
    const referrer = referrerManifest(first.image, 'application/spdx+json', [sbom]);
    await add([EMPTY, sbom], [referrer]);
  }
  return first.image;
}

/** A release with a component for each number, and what it takes to pack it. */
export async function madeRelease(
  store: MemoryStore,
  version: string,
  builds: readonly number[],
): Promise<PartRequest> {
  const rows: string[] = [];
  for (const [at, build] of builds.entries()) {
    const name = COMPONENTS[at % COMPONENTS.length]!;
    const { descriptor } = await component(store, name, build);
    rows.push(`${name}=${descriptor.digest}`);
  }
  const payload = [layer(`base ${(builds[0] ?? 0) >> 1}`), layer(`payload of ${version}`)];
  const top = manifest(`release ${version}`, payload, { [PARTS]: rows.join(' ') });
  await fill(store, { blobs: top.blobs, manifests: [top.image], tags: {} });
  return partRequest(releaseKind, { name: version, digest: top.image.descriptor.digest, store });
}

export async function madeTool(store: MemoryStore, build: number): Promise<PartRequest> {
  const { image, blobs } = manifest(`tool ${build}`, [
    layer(`base ${build >> 1}`),
    layer(`tool ${build}`),
  ]);
  await fill(store, { blobs, manifests: [image], tags: {} });
  return partRequest(toolKind, { name: 'tool', digest: image.descriptor.digest, store });
}
