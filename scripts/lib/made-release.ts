import type { Descriptor } from '../../src/core/descriptor.ts';
import type { Digest } from '../../src/core/digest.ts';
import type { ReleaseArchitecture } from './architectures.ts';

/** What was made; also the content of `summary.json`. */
export interface MadeRelease {
  readonly version: string;
  readonly architecture: ReleaseArchitecture;
  readonly seed: string;
  readonly scale: number;
  readonly release: Descriptor & { readonly tag: string; readonly reference: string };
  /** In the order of image-references. */
  readonly components: readonly (Descriptor & {
    readonly name: string;
    readonly reference: string;
  })[];
  /** KubeVirt images, where it has some, under the end of their tags. */
  readonly kubeVirt?: readonly (Descriptor & {
    readonly name: string;
    readonly reference: string;
  })[];
  /** Images as cosign makes them. */
  readonly signatureImages: readonly (Descriptor & {
    readonly tag: string;
    readonly subject: Digest;
  })[];
  /** What else is about images of the release, by their `subject`. */
  readonly referrers: readonly (Descriptor & {
    readonly artifactType: string;
    readonly subject: Digest;
  })[];
  /** Folder of the image layout, or `undefined` when it was pushed. */
  readonly layout?: string | undefined;
  /** Registry that it was pushed to. */
  readonly registry?: string | undefined;
  /** File of the armored public key that the release is signed with. */
  readonly releaseKey: string;
  /** Folder with `sha256=<hex>/signature-1`. */
  readonly signatureStore: string;
  /** Different blobs, manifests among them, and their bytes. */
  readonly blobs: number;
  readonly bytes: number;
}
