import type {
  CatalogRequest,
  ChannelRequest,
  PackageRequest,
  VersionBounds,
} from '../catalogs/filter/request.ts';

/** The line of the file that something was read from, for messages. */
export interface Located {
  readonly line: number;
}

/** What an ImageSetConfiguration asks for, or what a DeleteImageSetConfiguration lists. */
export interface ImageSet {
  readonly kind: ImageSetKind;
  /** GiB of a volume at most; 0 and nothing are the same. */
  readonly archiveSize?: number;
  readonly platform?: PlatformSet;
  readonly operators: readonly OperatorSet[];
  readonly images: readonly ExtraImage[];
  readonly charts: ChartSet;
  readonly blocked: readonly BlockedImage[];
}

export const IMAGE_SET_KINDS = {
  ImageSetConfiguration: 'mirror',
  DeleteImageSetConfiguration: 'delete',
} as const;
export type ImageSetKind = keyof typeof IMAGE_SET_KINDS;

/** Releases and the update graph. */
export interface PlatformSet extends Located {
  readonly graph: boolean;
  readonly channels: readonly ReleaseChannel[];
  /** As image configs call them, and `multi`; empty where none is named. */
  readonly architectures: readonly string[];
  readonly platforms: readonly ImagePlatform[];
  /** One release image, instead of all channels. */
  readonly release?: string;
  readonly kubeVirtContainer: boolean;
}

/** Releases of a channel. Without bounds and without `full` it is the newest alone. */
export interface ReleaseChannel extends Located, VersionBounds {
  readonly name: string;
  readonly type: 'ocp' | 'okd';
  readonly shortestPath: boolean;
  readonly full: boolean;
}

export interface ImagePlatform {
  readonly os: string;
  readonly architecture: string;
}

/** A catalog of operators, and which of them. */
export interface OperatorSet extends Located, CatalogRequest {
  readonly packages: readonly OperatorPackage[];
  /** A file with a CatalogSource. */
  readonly targetCatalogSourceTemplate?: string;
  readonly platforms: readonly ImagePlatform[];
}

export interface OperatorPackage extends Located, PackageRequest {
  readonly channels: readonly OperatorChannel[];
}

export interface OperatorChannel extends Located, ChannelRequest {}

export interface ExtraImage extends Located {
  /** As it was written. */
  readonly name: string;
  readonly targetRepo?: string;
  readonly targetTag?: string;
  readonly platforms: readonly ImagePlatform[];
}

export interface ChartSet {
  readonly repositories: readonly ChartRepository[];
  readonly local: readonly LocalChart[];
}

export interface ChartRepository extends Located {
  readonly name: string;
  readonly url: string;
  /** Empty: all charts of the repository. */
  readonly charts: readonly RepositoryChart[];
}

interface ChartImages {
  /** JSONPath expressions that lead to images. */
  readonly imagePaths: readonly string[];
  readonly platforms: readonly ImagePlatform[];
}

export interface RepositoryChart extends Located, ChartImages {
  readonly name: string;
  readonly version?: string;
}

export interface LocalChart extends Located, ChartImages {
  readonly name: string;
  /** A folder, or an archive. */
  readonly path: string;
}

/** Images that are left out. */
export interface BlockedImage extends Located {
  /** A regular expression of RE2. */
  readonly pattern: string;
}

/** The patterns of a file by which images are left out. */
export interface Blocker {
  /** For messages. */
  readonly file: string;
  /** The pattern that one of the names of an image is like, if any. */
  readonly blocks: (names: readonly string[]) => BlockedImage | undefined;
}
