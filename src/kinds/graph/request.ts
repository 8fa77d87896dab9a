import type { GraphDataFiles } from '../../updates/graph-data/files.ts';

/** The UBI image that oc-mirror builds graph images on. */
export const DEFAULT_GRAPH_BASE = 'registry.access.redhat.com/ubi9/ubi:latest';

/** Which graph data, and the image that it is carried in. */
export interface GraphPartRequest {
  /** A URL, the path of a folder or a tarball, or what has been read from one. */
  readonly data: string | GraphDataFiles;
  /** Reference of the image to build on. */
  readonly base: string;
  /** The architectures of the image, as in image configs, in the order of names; at least one. */
  readonly architectures: readonly string[];
}
