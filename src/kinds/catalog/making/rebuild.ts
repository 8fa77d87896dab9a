import type { MadeContent, MadeFile } from '../../../building/image.ts';
import type { Descriptor } from '../../../core/descriptor.ts';
import { type Digest, digestOf } from '../../../core/digest.ts';
import { isObject, type Json, type JsonObject } from '../../../core/json.ts';
import type { ImageManifest } from '../../../core/manifest.ts';
import {
  DOCKER_LAYER,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_INDEX,
  OCI_LAYER_GZIP,
} from '../../../core/media-types.ts';
import { type CatalogConfig, CONFIGS_LABEL } from '../catalog-config.ts';
import type { LayerFacts } from '../catalog-layers.ts';
import { hidingOf } from './lower-layers.ts';
import { type DocumentsLayer, type DocumentsLayers, unusable } from './documents-layer.ts';

/** Says of which image a catalog was made, by digest. */
export const FROM_LABEL = 'io.github.ocp-bundle.catalog.from';

/** The image of a catalog for one platform. */
export interface CatalogBase {
  /** As the index has it; `undefined` for an image that is in no index. */
  readonly platform: JsonObject | undefined;
  readonly manifest: ImageManifest;
  readonly config: CatalogConfig;
  /** In the order of the manifest. */
  readonly layers: readonly LayerFacts[];
}

/** What a catalog is rebuilt of and to. */
export interface Rebuilding {
  /** The digest of the image that the documents came from. */
  readonly from: Digest;
  readonly layers: DocumentsLayers;
  /** The documents alone, without what serves them. */
  readonly isContent: boolean;
}

export interface RebuiltCatalog {
  readonly index: Descriptor;
  readonly made: readonly (MadeContent | MadeFile)[];
}

/**
 * The image of a catalog with other documents in it. It follows from its input to the byte, on
 * every machine. Layers that have nothing but documents or the cache of opm are left out. Where
 * others have documents, each of these has a whiteout of its own. Not all who read layers understand
 * more: some look at nothing outside of the folder of the documents, and so see no whiteout of it;
 * others know no opaque folders, and no whiteout of a folder that a higher layer has, too. A document
 * that a lower layer hides in such a way is replaced by an empty file. opm makes its cache anew when
 * it starts, in /tmp: that is as it was before. An image of documents alone has one layer, the same for all
 * platforms, and a config for each.
 * @throws BundleError UNSUPPORTED_CONTENT for an image that cannot be built on; DISK
 */
export async function rebuildCatalog(
  bases: readonly CatalogBase[],
  { from, layers, isContent }: Rebuilding,
): Promise<RebuiltCatalog> {
  const made = new Map<Digest, MadeContent | MadeFile>();
  const add = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
    made.set(descriptor.digest, { descriptor, bytes });
    return descriptor;
  };
  const rows: { descriptor: Descriptor; platform: JsonObject | undefined }[] = [];
  for (const base of bases) {
    const { manifest, config, platform } = base;
    const kept = isContent ? [] : base.layers.filter(({ isPure }) => !isPure);
    const cache = isContent ? undefined : config.cache;
    const hiding = hidingOf({ layers: base.layers, kept, cache, written: layers.paths });
    const { digest, size, diffId, read } = await layers.layer(config.configs, hiding);
    const mediaType = manifest.mediaType === DOCKER_MANIFEST ? DOCKER_LAYER : OCI_LAYER_GZIP;
    const added = { mediaType, size, digest };
    made.set(digest, { descriptor: added, read });
    const change = { kept, added: { digest, diffId }, from };
    const document = isContent ? contentConfig(base, change) : configOf(base, change);
    const image = {
      schemaVersion: 2,
      mediaType: manifest.mediaType,
      config: add(manifest.config.mediaType, json(document)),
      layers: [...kept.map(({ layer }) => ordered(layer)), added],
    };
    rows.push({ descriptor: add(manifest.mediaType, json(image)), platform });
  }
  const [first] = rows;
  if (first === undefined) throw unusable('it has no image for a platform');
  if (first.platform === undefined && rows.length === 1)
    return { index: first.descriptor, made: [...made.values()] };
  const isDocker = rows.every(({ descriptor }) => descriptor.mediaType === DOCKER_MANIFEST);
  const mediaType = isDocker ? DOCKER_LIST : OCI_INDEX;
  const manifests = rows.map(({ descriptor, platform }) => ({ ...ordered(descriptor), platform }));
  const index = add(mediaType, json({ schemaVersion: 2, mediaType, manifests }));
  return { index, made: [...made.values()] };
}

interface Change {
  readonly kept: readonly LayerFacts[];
  readonly added: Pick<DocumentsLayer, 'digest' | 'diffId'>;
  readonly from: Digest;
}

/** What the config of an image of documents alone says: for whom it is, and what it has. */
function contentConfig(
  { config: { document, configs } }: CatalogBase,
  { added, from }: Pick<Change, 'added' | 'from'>,
): JsonObject {
  const told = ['architecture', 'variant', 'os', 'created'].flatMap((key) => {
    const value = document[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  const created = document['created'];
  return {
    ...Object.fromEntries(told),
    config: { Labels: { [CONFIGS_LABEL]: `/${configs}`, [FROM_LABEL]: from } },
    rootfs: { type: 'layers', diff_ids: [added.diffId] },
    history: [{ ...(created !== undefined && { created }), created_by: createdBy(added.digest) }],
  };
}

function createdBy(layer: Digest): string {
  return `bundle: catalog ${layer}`;
}

/** The config with the layers that are there now, and started without a cache. */
function configOf(
  { config: { document, configs }, layers, manifest }: CatalogBase,
  { kept, added, from }: Change,
): JsonObject {
  const own = isObject(document['config']) ? document['config'] : {};
  const rootfs = isObject(document['rootfs']) ? document['rootfs'] : {};
  const diffIds = listIn(rootfs, 'diff_ids');
  if (diffIds.length !== manifest.layers.length)
    throw unusable(
      `it has ${manifest.layers.length} layers, and its config names ${diffIds.length}`,
    );
  const isKept = layers.map((facts) => kept.includes(facts));
  const history = historyOf(document, isKept);
  const labels = isObject(own['Labels']) ? own['Labels'] : {};
  const created = document['created'];
  return {
    ...document,
    config: {
      ...own,
      ...withoutCache(own),
      Labels: { ...labels, [CONFIGS_LABEL]: `/${configs}`, [FROM_LABEL]: from },
    },
    rootfs: {
      ...rootfs,
      diff_ids: [...diffIds.filter((_, index) => isKept[index]), added.diffId],
    },
    ...(history !== undefined && {
      history: [
        ...history,
        {
          ...(created !== undefined && { created }),
          created_by: createdBy(added.digest),
        },
      ],
    }),
  };
}

/** What is said of layers that stay; nothing where it is not clear which is which. */
function historyOf(document: JsonObject, isKept: readonly boolean[]): readonly Json[] | undefined {
  const history = listIn(document, 'history');
  const isEmpty = (entry: Json): boolean => isObject(entry) && entry['empty_layer'] === true;
  if (history.filter((entry) => !isEmpty(entry)).length !== isKept.length) return undefined;
  let layer = -1;
  return history.filter((entry) => {
    if (isEmpty(entry)) return true;
    layer += 1;
    return isKept[layer];
  });
}

/** Words that start opm with a cache: it would not start with one that is not there. */
function withoutCache(config: JsonObject): JsonObject {
  const changed: Record<string, Json> = {};
  for (const key of ['Entrypoint', 'Cmd']) {
    const words = config[key];
    if (!Array.isArray(words)) continue;
    const list = words as readonly Json[];
    changed[key] = list.filter((word, index) => {
      const isOption =
        typeof word === 'string' && /^--cache-(?:dir|only|enforce-integrity)\b/.test(word);
      return !isOption && list[index - 1] !== '--cache-dir';
    });
  }
  return changed;
}

function listIn(object: JsonObject, key: string): readonly Json[] {
  const value = object[key];
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function ordered({ mediaType, size, digest }: Descriptor): Descriptor {
  return { mediaType, size, digest };
}

/** The same bytes for the same values, by the rules of ECMAScript, and no space. */
function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
