import type { Digest } from '../../core/digest.ts';
import type { GraphDataFiles } from '../../updates/graph-data/files.ts';

/** The UBI image that oc-mirror builds graph images on. */
export const DEFAULT_GRAPH_BASE = 'registry.access.redhat.com/ubi9/ubi:latest';

/** Which graph data, and the image that it is carried in. */
export interface GraphPartRequest {
  /** A URL, the path of a folder or a tarball, or what has been read from one. */
  readonly data: string | GraphDataFiles;
  /** Where the data are from, if `data` does not say it or names another place. */
  readonly origin?: string | undefined;
  /** The digest that the data have to have, in the form of a bundle. */
  readonly expected?: Digest | undefined;
  /** Reference of the image to build on. */
  readonly base: string;
  /** The architectures of the image, as in image configs, in the order of names; at least one. */
  readonly architectures: readonly string[];
}
