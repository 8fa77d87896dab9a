import type { Digest } from '../../core/digest.ts';
import type { Architecture } from './architecture.ts';

/** Which release, from where, and what proves it. */
export interface ReleaseRequest {
  /** May be left out where `from` names one image. */
  readonly version: string | undefined;
  readonly architecture: Architecture;
  /** The digest that it has to have, where something else names it too: an update graph. */
  readonly expected?: Digest | undefined;
  /**
   * The digests of the messages that prove it, where those alone count that an earlier run has found.
   */
  readonly messages?: readonly Digest[] | undefined;
  /** A reference or `oci:DIR`; the official repository if it is left out. */
  readonly from: string | undefined;
  readonly releaseKeyFiles: readonly string[];
  readonly signatureStores: readonly string[];
  readonly allowUnsignedRelease: boolean;
  /** Carries the image that virtual machines of KubeVirt boot from, where the release has one. */
  readonly kubeVirt?: boolean | undefined;
}
