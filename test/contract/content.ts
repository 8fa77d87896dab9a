import { seededBytes } from '../../scripts/lib/seeded-bytes.ts';
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

/** Content with the descriptor that is true of it. */
export interface Held {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/**
 * What a store is asked to hold: blobs first, then manifests (each after what it points to), then
 * tags.
 */
export interface StoreContent {
  readonly blobs: readonly Held[];
  readonly manifests: readonly Held[];
  readonly tags: Readonly<Record<string, Descriptor>>;
}

export function held(mediaType: string, bytes: Uint8Array | string): Held {
  const content = Buffer.from(bytes);
  return {
    descriptor: { mediaType, digest: digestOf(content), size: content.length },
    bytes: content,
  };
}

export function imageManifest(mediaType: string, config: Held, layers: readonly Held[]): Held {
  const document = {
    schemaVersion: 2,
    mediaType,
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
  };
  return held(mediaType, JSON.stringify(document));
}

export function imageIndex(
  mediaType: string,
  images: readonly { readonly manifest: Held; readonly architecture: string }[],
): Held {
  const manifests = images.map(({ manifest, architecture }) => ({
    ...manifest.descriptor,
    platform: { os: 'linux', architecture },
  }));
  return held(mediaType, JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
}

/** A manifest that is about another one (OCI image-spec, `subject` and the empty config). */
export function referrerManifest(
  subject: Held,
  artifactType: string,
  layers: readonly Held[],
  annotations?: Readonly<Record<string, string>>,
): Held {
  const document = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType,
    config: EMPTY.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
    subject: subject.descriptor,
    ...(annotations && { annotations }),
  };
  return held(OCI_MANIFEST, JSON.stringify(document));
}

/** The config of what has none. */
export const EMPTY = held('application/vnd.oci.empty.v1+json', '{}');

/** More than any store moves in one piece, and no multiple of a power of two. */
export const LARGE_BYTES = 3 * 1024 * 1024 + 17;

const config = (architecture: string): string =>
  JSON.stringify({
    architecture,
    os: 'linux',
    created: '2024-10-09T00:00:00Z',
    rootfs: { type: 'layers', diff_ids: [] },
  });

type Named =
  | 'large'
  | 'small'
  | 'empty'
  | 'oci'
  | 'docker'
  | 'ociIndex'
  | 'dockerList'
  | 'sbom'
  | 'signature'
  | 'overSbom';

/**
 * A small and a large layer, an empty one, and images of both kinds: on their own, and in indexes
 * of both kinds. An SBOM and a signature that are about an image, and a signature that is about the
 * SBOM.
 */
export const sample = ((): StoreContent & Record<Named, Held> => {
  const large = held(OCI_LAYER_GZIP, seededBytes('contract: large', LARGE_BYTES));
  const small = held(OCI_LAYER_GZIP, seededBytes('contract: small', 1000));
  const empty = held(OCI_LAYER_GZIP, '');
  const ociConfig = held(OCI_CONFIG, config('amd64'));
  const dockerConfig = held(DOCKER_CONFIG, config('arm64'));
  const dockerLayer = held(DOCKER_LAYER, seededBytes('contract: docker', 70_000));
  const oci = imageManifest(OCI_MANIFEST, ociConfig, [small, large]);
  const docker = imageManifest(DOCKER_MANIFEST, dockerConfig, [dockerLayer]);
  const ociIndex = imageIndex(OCI_INDEX, [{ manifest: oci, architecture: 'amd64' }]);
  const dockerList = imageIndex(DOCKER_LIST, [{ manifest: docker, architecture: 'arm64' }]);
  const sbom = referrerManifest(oci, 'application/spdx+json', [small], {
    'org.opencontainers.image.created': '2024-10-09T00:00:00Z',
  });
  const signature = referrerManifest(oci, 'application/vnd.dev.sigstore.bundle.v0.3+json', []);
  const overSbom = referrerManifest(sbom, 'application/vnd.dev.sigstore.bundle.v0.3+json', []);
  return {
    ...{ large, small, empty, oci, docker, ociIndex, dockerList, sbom, signature, overSbom },
    blobs: [ociConfig, dockerConfig, EMPTY, small, large, empty, dockerLayer],
    manifests: [oci, docker, ociIndex, dockerList, sbom, signature, overSbom],
    tags: {
      '4.17.3-x86_64': oci.descriptor,
      '4.17.3-aarch64': docker.descriptor,
      multi: ociIndex.descriptor,
      list: dockerList.descriptor,
    },
  };
})();
