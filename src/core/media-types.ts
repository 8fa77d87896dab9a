export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER_GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';
export const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
export const OCTET_STREAM = 'application/octet-stream';

/** The `Accept` types for resolving a tag: indexes of several platforms come first. */
export const MANIFEST_TYPES: readonly string[] = [
  DOCKER_LIST,
  OCI_INDEX,
  DOCKER_MANIFEST,
  OCI_MANIFEST,
];

const KNOWN: ReadonlyMap<string, string> = new Map(
  [
    ...[OCI_MANIFEST, OCI_INDEX, OCI_CONFIG, OCI_LAYER_GZIP],
    ...[DOCKER_MANIFEST, DOCKER_LIST, DOCKER_CONFIG, DOCKER_LAYER],
  ].map((type) => [type, type]),
);

/** The same text, and for the usual types the same string: thousands of manifests repeat them. */
export function sameType(mediaType: string): string {
  return KNOWN.get(mediaType) ?? mediaType;
}

export function isIndexType(mediaType: string): boolean {
  return mediaType === OCI_INDEX || mediaType === DOCKER_LIST;
}

export function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.includes(mediaType);
}
