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

/** What a store is asked to hold: blobs first, then manifests (each after what it points to), then tags. */
export interface StoreContent {
  readonly blobs: readonly Held[];
  readonly manifests: readonly Held[];
  readonly tags: Readonly<Record<string, Descriptor>>;
}

export function held(mediaType: string, bytes: Uint8Array | string): Held {
  const content = Buffer.from(bytes);
  return { descriptor: { mediaType, digest: digestOf(content), size: content.length }, bytes: content };
}

export function imageManifest(mediaType: string, config: Held, layers: readonly Held[]): Held {
  const document = { schemaVersion: 2, mediaType, config: config.descriptor, layers: layers.map(({ descriptor }) => descriptor) };
  return held(mediaType, JSON.stringify(document));
}

export function imageIndex(mediaType: string, images: readonly { readonly manifest: Held; readonly architecture: string }[]): Held {
  const manifests = images.map(({ manifest, architecture }) => ({ ...manifest.descriptor, platform: { os: 'linux', architecture } }));
  return held(mediaType, JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
}

/** More than any store moves in one piece, and no multiple of a power of two. */
export const LARGE_BYTES = 3 * 1024 * 1024 + 17;

const config = (architecture: string): string =>
  JSON.stringify({ architecture, os: 'linux', created: '2024-10-09T00:00:00Z', rootfs: { type: 'layers', diff_ids: [] } });

/** A small and a large layer, an empty one, and images of both kinds: on their own, and in indexes of both kinds. */
export const sample = ((): StoreContent & Record<'large' | 'small' | 'empty' | 'oci' | 'docker' | 'ociIndex' | 'dockerList', Held> => {
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
  return {
    ...{ large, small, empty, oci, docker, ociIndex, dockerList },
    blobs: [ociConfig, dockerConfig, small, large, empty, dockerLayer],
    manifests: [oci, docker, ociIndex, dockerList],
    tags: { '4.17.3-x86_64': oci.descriptor, '4.17.3-aarch64': docker.descriptor, multi: ociIndex.descriptor, list: dockerList.descriptor },
  };
})();
