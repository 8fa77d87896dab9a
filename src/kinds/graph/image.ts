import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, digestOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asArray, asObject, isObject, type JsonObject, parseStrictJson } from '../../core/json.ts';
import type { ImageManifest } from '../../core/manifest.ts';
import {
  DOCKER_LAYER,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_INDEX,
  OCI_LAYER_GZIP,
} from '../../core/media-types.ts';
import type { GraphDataFiles } from '../../updates/graph-data/files.ts';
import { graphDataTar } from './archive.ts';
import { storedGzip } from './gzip.ts';

/** Where the data is in the image, and where an update service wants it. */
const ROOT = 'var/lib/cincinnati-graph-data';
const COMMAND = `exec cp -rp /${ROOT}/* /var/lib/cincinnati/graph-data`;

/** An image for one architecture that the data is laid onto. */
export interface BaseImage {
  readonly architecture: string;
  readonly manifest: ImageManifest;
  readonly config: Uint8Array;
}

/** Content that was made here. */
export interface MadeContent {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

export interface GraphImage {
  /** The index that names the image of each architecture. */
  readonly index: Descriptor;
  /** All that the base images do not have. */
  readonly made: readonly MadeContent[];
}

/**
 * The image that an update service copies its graph data from, as oc-mirror builds it: the base
 * image of each architecture with one layer more. It follows from its input to the byte. Media types
 * are those of the base: update services do not understand all of them.
 * @throws BundleError UNSUPPORTED_CONTENT for a base image that cannot be built on
 */
export function buildGraphImage(files: GraphDataFiles, bases: readonly BaseImage[]): GraphImage {
  const tar = graphDataTar(files, ROOT);
  const layer = storedGzip(tar);
  const content = { digest: digestOf(layer), diffId: digestOf(tar), size: layer.length };
  const made = new Map<Digest, MadeContent>();
  const add = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const descriptor = { mediaType, size: bytes.length, digest: digestOf(bytes) };
    made.set(descriptor.digest, { descriptor, bytes });
    return descriptor;
  };
  const rows = bases.map(({ architecture, manifest, config }) => {
    const isDocker = manifest.mediaType === DOCKER_MANIFEST;
    const own = add(isDocker ? DOCKER_LAYER : OCI_LAYER_GZIP, layer);
    const { mediaType } = manifest.config;
    const layers = [...manifest.layers, own].map(ordered);
    const configBytes = configOn(config, { ...content, layers: manifest.layers.length });
    const image = {
      schemaVersion: 2,
      mediaType: manifest.mediaType,
      config: add(mediaType, configBytes),
      layers,
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

/** The config of the base image, with the layer and the command of the graph image. */
function configOn(
  bytes: Uint8Array,
  { digest, diffId, layers }: { digest: Digest; diffId: Digest; layers: number },
): Uint8Array {
  const base = asObject(parseStrictJson(bytes, 'config of the base image'), 'config');
  const rootfs = asObject(base['rootfs'], 'rootfs of the base image');
  const diffIds = asArray(rootfs['diff_ids'], 'diff_ids of the base image');
  if (diffIds.length !== layers) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the base image has ${layers} layers, and its config names ${diffIds.length}`,
      { hint: 'Name another base image with --graph-data-base.' },
    );
  }
  const own = Object.entries(isObject(base['config']) ? base['config'] : {});
  const history = base['history'] === undefined ? [] : asArray(base['history'], 'history');
  const config: JsonObject = {
    ...base,
    config: {
      ...Object.fromEntries(own.filter(([key]) => key !== 'Entrypoint')),
      Cmd: ['/bin/bash', '-c', COMMAND],
    },
    rootfs: { ...rootfs, diff_ids: [...diffIds, diffId] },
    history: [
      ...history,
      {
        created: base['created'] ?? '1970-01-01T00:00:00Z',
        created_by: `bundle: update graph ${digest}`,
      },
    ],
  };
  return json(config);
}

/** The same bytes for the same values, by the rules of ECMAScript, and no space. */
function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
