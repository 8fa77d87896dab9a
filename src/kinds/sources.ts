import type { Digest } from '../core/digest.ts';
import type { BundleError } from '../core/errors.ts';
import type { RepositoryName } from '../core/reference.ts';
import type { ReadOnlyStore } from '../core/store.ts';
import type { TemporaryFolder } from '../files/temporary/folder.ts';
import type { HeldContent } from '../stores/oc/held-content.ts';
import type { HeldPlace } from '../stores/oc/open.ts';

/** Signatures that were collected for a digest. */
export interface CollectedSignatures {
  /** Each different one once. **Not** checked. */
  readonly signatures: readonly Uint8Array[];
  /** The failure of each store that could not be read to its end. */
  readonly failures: readonly BundleError[];
}

/** What is kept beside a registry for a digest. */
export interface LookasideAnswer {
  /** **Not** checked. */
  readonly signatures: readonly Uint8Array[];
  /** The places that could not be read. */
  readonly failures: readonly { readonly place: string; readonly error: BundleError }[];
}

/** Everything that a run may ask for content and proofs. */
export interface Sources {
  /**
   * A repository to read from, through the mirrors of the site. The same store for the same name.
   */
  source(name: RepositoryName): ReadOnlyStore;
  /** A folder that `oc` or oc-mirror has written. The same store for the same folder. */
  held(place: HeldPlace): Promise<HeldContent>;
  /** A folder for what is made for the run and too large for memory. It is removed at its end. */
  scratch(): Promise<TemporaryFolder>;
  /** The signatures that stores of signatures have of a digest. */
  signatures(stores: readonly string[], digest: Digest): Promise<CollectedSignatures>;
  /** The signatures of a manifest that are kept where registries.d says for its repository. */
  lookaside(name: RepositoryName, digest: Digest): Promise<LookasideAnswer>;
  /**
   * A public file, whole, that is asked for without credentials. @returns `undefined` where there is
   * none (404). @throws BundleError NETWORK, REGISTRY; CONTENT_MISMATCH above `limit` bytes
   */
  publicFile(url: string, limit: number): Promise<Uint8Array | undefined>;
  /**
   * The same for a file of a chart repository: its server, and no other, is shown the credentials of
   * the repository. @throws BundleError NOT_ALLOWED, CONFIGURATION, too
   */
  chartFile(repository: string, url: string, limit: number): Promise<Uint8Array | undefined>;
}

/** Where the content of one part is read from: registries, an image layout, or a bundle. */
export interface ContentSource {
  /** The place of the image that the part begins with. */
  readonly root: ReadOnlyStore;
  /** The place of a repository that the part names; a mirror of it may answer. */
  storeOf(name: RepositoryName): ReadOnlyStore;
  /** Whether what is made for the part is there too, and no registry has it: true of a bundle. */
  readonly holdsMade?: boolean;
}
