import { type ByteStream, streamOf } from '../../src/core/bytes.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../src/core/media-types.ts';
import { CREATED } from './created.ts';
import type { Layer } from './layer.ts';

/** Which media types an image is written with. */
export type ImageKind = 'docker' | 'oci';

const TYPES = {
  docker: {
    index: DOCKER_LIST,
    manifest: DOCKER_MANIFEST,
    config: DOCKER_CONFIG,
    layer: DOCKER_LAYER,
  },
  oci: { index: OCI_INDEX, manifest: OCI_MANIFEST, config: OCI_CONFIG, layer: OCI_LAYER_GZIP },
} as const;

/** Content that can be pushed: made anew each time it is asked for. */
export interface Content {
  readonly descriptor: Descriptor;
  readonly content: () => ByteStream;
}

/**
 * A manifest and everything below it, in the order in which it has to be pushed: the manifest
 * itself is last.
 */
export interface Image {
  readonly descriptor: Descriptor;
  readonly contents: readonly Content[];
}

/** An image of the given layers, base layer first. */
export function makeImage(
  kind: ImageKind,
  architecture: string,
  layers: readonly Layer[],
  labels: Readonly<Record<string, string>>,
): Image {
  return makeStartedImage({ kind, architecture, layers, labels, starts: {} });
}

/** An image that says what is started. */
export function makeStartedImage({
  kind,
  architecture,
  layers,
  labels,
  starts,
}: {
  readonly kind: ImageKind;
  readonly architecture: string;
  readonly layers: readonly Layer[];
  readonly labels: Readonly<Record<string, string>>;
  readonly starts: { readonly Entrypoint?: readonly string[]; readonly Cmd?: readonly string[] };
}): Image {
  const types = TYPES[kind];
  const config = documentOf(types.config, {
    created: CREATED,
    architecture,
    os: 'linux',
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'container=oci'],
      ...starts,
      Labels: labels,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: CREATED, comment: 'made up' })),
  });
  const contents = layers.map(({ digest, size, content }): Content => ({
    descriptor: { mediaType: types.layer, digest, size },
    content,
  }));
  return imageOf(types.manifest, config, contents);
}

/** An image of one layer with JSON in it, as cosign keeps a signature. */
export function makeArtifact(
  layerType: string,
  document: unknown,
  annotations: Readonly<Record<string, string>>,
): Image {
  const layer = documentOf(layerType, document);
  const config = documentOf(OCI_CONFIG, {
    architecture: '',
    created: '0001-01-01T00:00:00Z',
    history: [{ created: '0001-01-01T00:00:00Z' }],
    os: '',
    rootfs: { type: 'layers', diff_ids: [layer.descriptor.digest] },
    config: {},
  });
  return imageOf(OCI_MANIFEST, config, [layer], annotations);
}

/**
 * What is about another manifest (OCI image-spec, `subject`): JSON in one layer, and the config of
 * what has none.
 */
export function makeReferrer(
  subject: Descriptor,
  artifactType: string,
  document: unknown,
  annotations: Readonly<Record<string, string>>,
): Image {
  const layer = documentOf(artifactType, document);
  const config = documentOf('application/vnd.oci.empty.v1+json', {});
  const { mediaType, digest, size } = subject;
  const manifest = documentOf(OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType,
    config: config.descriptor,
    layers: [layer.descriptor],
    subject: { mediaType, digest, size },
    annotations,
  });
  return { descriptor: manifest.descriptor, contents: [layer, config, manifest] };
}

/** An index (Docker: manifest list) of images, one for each architecture. */
export function makeIndex(
  kind: ImageKind,
  images: readonly { readonly architecture: string; readonly image: Image }[],
): Image {
  const mediaType = TYPES[kind].index;
  const index = documentOf(mediaType, {
    schemaVersion: 2,
    mediaType,
    manifests: images.map(({ architecture, image }) => ({
      ...image.descriptor,
      platform: { architecture, os: 'linux' },
    })),
  });
  return {
    descriptor: index.descriptor,
    contents: [...images.flatMap(({ image }) => image.contents), index],
  };
}

function imageOf(
  mediaType: string,
  config: Content,
  layers: readonly Content[],
  annotations?: Readonly<Record<string, string>>,
): Image {
  const manifest = documentOf(mediaType, {
    schemaVersion: 2,
    mediaType,
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => ({
      ...descriptor,
      ...(annotations && { annotations }),
    })),
  });
  return { descriptor: manifest.descriptor, contents: [...layers, config, manifest] };
}

function documentOf(mediaType: string, document: unknown): Content {
  const bytes = Buffer.from(JSON.stringify(document));
  return {
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
    content: () => streamOf(bytes),
  };
}
