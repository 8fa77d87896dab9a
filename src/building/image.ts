import type { ByteStream } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, digestOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { asArray, asObject, isObject, type JsonObject, parseStrictJson } from '../core/json.ts';
import type { ImageManifest } from '../core/manifest.ts';
import {
  DOCKER_LAYER,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_INDEX,
  OCI_LAYER_GZIP,
} from '../core/media-types.ts';
import { gzipStored } from './gzip.ts';
import { plainTar, type TarEntry } from './tar.ts';

/** An image for one architecture that a layer is laid onto. */
export interface BaseImage {
  readonly architecture: string;
  readonly manifest: ImageManifest;
  readonly config: Uint8Array;
}

/** What an image has beyond its base. */
export interface Addition {
  /** The files of its last layer, in the order of the layer. */
  readonly files: readonly TarEntry[];
  /** What its history says of the layer. @param digest of the layer */
  createdBy(digest: Digest): string;
  /** What containers of it are started with (`config` of the config), out of that of the base. */
  runs(base: JsonObject): JsonObject;
  /** What somebody can do whose base image cannot be built on. */
  readonly hint: string;
}

/** Content that was made here. */
export interface MadeContent {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** Content that was made here, and is too large for memory. */
export interface MadeFile {
  readonly descriptor: Descriptor;
  readonly read: (range?: { readonly start: number; readonly end: number }) => ByteStream;
}

export interface MadeImage {
  /** The index that names the image of each architecture. */
  readonly index: Descriptor;
  /** All that the base images do not have. */
  readonly made: readonly MadeContent[];
}

/** A layer that was made here, in its two forms: the digests name what a manifest and a config do. */
interface Layer {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly diffId: Digest;
}

/**
 * The base image of each architecture with one layer more. It follows from its input to the byte:
 * on both sides of the air gap it is the same image. Media types are those of the base: not every
 * reader understands all of them.
 * @throws BundleError UNSUPPORTED_CONTENT for a base image that cannot be built on
 */
export function buildImage(addition: Addition, bases: readonly BaseImage[]): MadeImage {
  const tar = plainTar(addition.files);
  const bytes = gzipStored(tar);
  const layer: Layer = { bytes, digest: digestOf(bytes), diffId: digestOf(tar) };
  const made = new Map<Digest, MadeContent>();
  const add = (mediaType: string, content: Uint8Array): Descriptor => {
    const descriptor = { mediaType, size: content.length, digest: digestOf(content) };
    made.set(descriptor.digest, { descriptor, bytes: content });
    return descriptor;
  };
  const rows = bases.map((base) => {
    const { architecture, manifest } = base;
    const isDocker = manifest.mediaType === DOCKER_MANIFEST;
    const own = add(isDocker ? DOCKER_LAYER : OCI_LAYER_GZIP, layer.bytes);
    const image = {
      schemaVersion: 2,
      mediaType: manifest.mediaType,
      config: add(manifest.config.mediaType, configOn(base, layer, addition)),
      layers: [...manifest.layers, own].map(ordered),
    };
    const descriptor = add(manifest.mediaType, json(image));
    return { ...descriptor, platform: { architecture, os: 'linux' } };
  });
  const isDocker = rows.every(({ mediaType }) => mediaType === DOCKER_MANIFEST);
  const mediaType = isDocker ? DOCKER_LIST : OCI_INDEX;
  const index = add(mediaType, json({ schemaVersion: 2, mediaType, manifests: rows }));
  return { index, made: [...made.values()] };
}

function ordered({ mediaType, size, digest }: Descriptor): Descriptor {
  return { mediaType, size, digest };
}

/** The config of the base image, with what the layer adds to it. */
function configOn({ manifest, config }: BaseImage, layer: Layer, addition: Addition): Uint8Array {
  const base = asObject(parseStrictJson(config, 'config of the base image'), 'config');
  const rootfs = asObject(base['rootfs'], 'rootfs of the base image');
  const diffIds = asArray(rootfs['diff_ids'], 'diff_ids of the base image');
  const { length } = manifest.layers;
  if (diffIds.length !== length) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the base image has ${length} layers, and its config names ${diffIds.length}`,
      { hint: addition.hint },
    );
  }
  const history = base['history'] === undefined ? [] : asArray(base['history'], 'history');
  const created = base['created'] ?? '1970-01-01T00:00:00Z';
  return json({
    ...base,
    config: addition.runs(isObject(base['config']) ? base['config'] : {}),
    rootfs: { ...rootfs, diff_ids: [...diffIds, layer.diffId] },
    history: [...history, { created, created_by: addition.createdBy(layer.digest) }],
  });
}

/** The same bytes for the same values, by the rules of ECMAScript, and no space. */
function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
