import type { ImageWalk, ReleaseImage } from '../kinds/release/payload/release-image.ts';
import type { ContentSource } from '../kinds/sources.ts';

/** A release that is proven, and the place of its images. */
export interface OpenedRelease {
  readonly release: ReleaseImage;
  readonly content: ContentSource;
  readonly walk: ImageWalk;
  /** The release image as `openshift-install` shall ask for it: `registry/repository@digest`. */
  readonly pinned: string;
}
