import { gzipStored } from '../../building/gzip.ts';
import type { MadeContent, MadeImage } from '../../building/image.ts';
import { plainTar, type TarEntry } from '../../building/tar.ts';
import type { WrittenFile } from '../../catalogs/writing/write-catalog.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, digestOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { ImageManifest } from '../../core/manifest.ts';
import {
  DOCKER_LAYER,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_INDEX,
  OCI_LAYER_GZIP,
} from '../../core/media-types.ts';
import { compareText } from '../../core/text.ts';
import { type CatalogConfig, CONFIGS_LABEL } from './catalog-config.ts';
import type { LayerFacts } from './catalog-layers.ts';

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

/** A layer that was made here, in its two forms. */
interface Layer {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly diffId: Digest;
}

/**
 * The image of a catalog with other documents in it. It follows from its input to the byte, on
 * every machine. Layers that have nothing but documents or the cache of opm are left out. Where
 * others have documents, each of these has a whiteout of its own. Not all who read layers understand
 * more: some look at nothing outside of the folder of the documents, and so see no whiteout of it;
 * others know no opaque folders, and no whiteout of a folder that a higher layer has, too. opm makes
 * its cache anew when it starts.
 * @param from the digest of the image that the documents came from.
 * @throws BundleError UNSUPPORTED_CONTENT for an image that cannot be built on
 */
export function rebuildCatalog(
  files: readonly WrittenFile[],
  bases: readonly CatalogBase[],
  from: Digest,
): MadeImage {
  const made = new Map<Digest, MadeContent>();
  const add = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
    made.set(descriptor.digest, { descriptor, bytes });
    return descriptor;
  };
  const rows = bases.map((base) => {
    const { manifest } = base;
    const kept = keptLayers(base);
    const added = addedLayer(files, base, kept);
    const layerType = manifest.mediaType === DOCKER_MANIFEST ? DOCKER_LAYER : OCI_LAYER_GZIP;
    const config = configOf(base, { kept, added, from });
    const image = {
      schemaVersion: 2,
      mediaType: manifest.mediaType,
      config: add(manifest.config.mediaType, json(config)),
      layers: [...kept.map(({ layer }) => ordered(layer)), ordered(add(layerType, added.bytes))],
    };
    return { descriptor: add(manifest.mediaType, json(image)), platform: base.platform };
  });
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

/** A layer that alone says that everybody may write to /tmp stays: its cache is hidden. */
function keptLayers({ layers }: CatalogBase): readonly LayerFacts[] {
  const others = layers.filter(({ isPure }) => !isPure);
  const needsParent = !others.some(({ hasCacheParent }) => hasCacheParent);
  const parent = needsParent
    ? layers.find(({ isPure, hasCacheParent }) => isPure && hasCacheParent)
    : undefined;
  return layers.filter((facts) => !facts.isPure || facts === parent);
}

/** The documents, and what hides those that lower layers have. */
function addedLayer(
  files: readonly WrittenFile[],
  { config: { configs, cache } }: CatalogBase,
  kept: readonly LayerFacts[],
): Layer {
  const hidesCache = cache !== undefined && kept.some(({ hasCache }) => hasCache);
  const entries = new Map<string, TarEntry>();
  const addFolders = (path: string): void => {
    for (const folder of [...foldersOf(path), path]) entries.set(folder, { path: folder });
  };
  const addWhiteout = (name: string): void => {
    const path = whiteoutOf(name);
    entries.set(path, { path, bytes: new Uint8Array(0) });
  };
  addFolders(configs);
  for (const { path, content } of files) {
    const name = `${configs}/${path}`;
    const slash = name.lastIndexOf('/');
    addFolders(name.slice(0, slash));
    entries.set(name, { path: name, bytes: content });
  }
  for (const path of new Set(kept.flatMap(({ documents }) => documents))) {
    const name = `${configs}/${path}`;
    const isReplaced = entries.has(name) || foldersOf(name).some((own) => isFile(entries.get(own)));
    if (!isReplaced) addWhiteout(name);
  }
  if (hidesCache) addWhiteout(cache);
  return layerOf([...entries.values()].sort((a, b) => compareText(a.path, b.path)));
}

function foldersOf(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

function isFile(entry: TarEntry | undefined): boolean {
  return entry?.bytes !== undefined;
}

function whiteoutOf(name: string): string {
  const slash = name.lastIndexOf('/') + 1;
  return `${name.slice(0, slash)}.wh.${name.slice(slash)}`;
}

function layerOf(entries: readonly TarEntry[]): Layer {
  let tar: Uint8Array;
  try {
    tar = plainTar(entries);
  } catch (error) {
    if (error instanceof RangeError) throw unusable(error.message);
    throw error;
  }
  const bytes = gzipStored(tar);
  return { bytes, digest: digestOf(bytes), diffId: digestOf(tar) };
}

interface Change {
  readonly kept: readonly LayerFacts[];
  readonly added: Layer;
  readonly from: Digest;
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
          created_by: `bundle: catalog ${added.digest}`,
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

function unusable(why: string): BundleError {
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `the image of the catalog cannot be rebuilt: ${why}`,
    {
      hint: 'Carry it as it is: full: true without packages.',
    },
  );
}
