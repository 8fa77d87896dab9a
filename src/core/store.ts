import type { ByteStream } from './bytes.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';

export interface FetchOptions {
  /** The part that is wanted, in bytes: from `start` up to but not including `end`. */
  readonly range?: { readonly start: number; readonly end: number };
  readonly signal?: AbortSignal;
}

export interface StoreOptions {
  readonly signal?: AbortSignal;
}

export interface PushOptions extends StoreOptions {
  /**
   * Gives the content again, from a byte on: with it, a transfer that broke is continued, and wrong
   * content is asked for once more.
   */
  readonly again?: (start: number) => ByteStream;
  /** What `again` gives is the same each time: wrong content is not asked for once more. */
  readonly isSteady?: boolean | undefined;
  /** The place has just been asked and does not hold it: it need not be asked again. */
  readonly isAbsent?: boolean;
  /**
   * For a manifest: brings what it points to once more, where the place does not hold it any more.
   * Asked for where the place says that something lacks which was there a moment ago.
   */
  readonly restore?: () => Promise<void>;
  /** For a manifest: a tag that shall name it from then on, replacing what it named before. */
  readonly tag?: string;
}

/** A place that content can be read from by digest. */
export interface ReadOnlyStore {
  /** How people call the place: `quay.io/openshift-release-dev/ocp-release`, `oci:/srv/layout`. */
  readonly name: string;
  /**
   * It gives the same bytes each time, as a disk does: what was wrong is not asked for once more.
   */
  readonly isSteady?: boolean;
  /** Where it has taken a blob or manifest from, if that is another place than its name says. */
  placeOf?(digest: Digest): string | undefined;
  /**
   * The bytes of a blob or manifest, as the place gives them: **not** checked, wrap them in
   * `verified()`.
   * @throws BundleError NOT_FOUND when the place does not hold it.
   */
  fetch(descriptor: Descriptor, options?: FetchOptions): ByteStream;
  /**
   * Whether the place holds the content; only a definite absence is `false`, anything unclear
   * throws.
   */
  exists(descriptor: Descriptor, options?: StoreOptions): Promise<boolean>;
  /**
   * The descriptor that a tag or digest names.
   * @throws BundleError NOT_FOUND when it names nothing.
   */
  resolve(reference: string, options?: StoreOptions): Promise<Descriptor>;
  /** All tags, in no particular order. */
  tags(options?: StoreOptions): Promise<readonly string[]>;
  /**
   * The manifests that are listed as being about another one, their `subject`; in no particular
   * order. **Not** checked: a list has no digest, and what a manifest is about only its own bytes
   * tell.
   */
  referrers(subject: Digest, options?: StoreOptions): Promise<readonly Descriptor[]>;
}

/** A place that content can also be written to. */
export interface Store extends ReadOnlyStore {
  /**
   * Takes the content in and checks it: afterwards it is there whole, or (on an error) not at all.
   * Content that is there already is left alone. A manifest may be pushed only after everything it
   * points to; one that has a subject is among the `referrers` of that from then on.
   * @throws BundleError CONTENT_MISMATCH when the bytes are not those of the descriptor.
   */
  push(descriptor: Descriptor, content: ByteStream, options?: PushOptions): Promise<void>;
  /** Lets `tag` name a manifest that has been pushed, replacing what it named before. */
  tag(descriptor: Descriptor, tag: string, options?: StoreOptions): Promise<void>;
  /**
   * Makes sure that a manifest can be had by its digest, whatever was said when it was pushed. Only
   * registries have to be asked.
   * @throws BundleError REGISTRY where it cannot
   */
  confirm?(descriptor: Descriptor, options?: StoreOptions): Promise<void>;
  /**
   * Takes over content that another place near it holds, without moving bytes; `false` when that
   * cannot be done. Only registries can: two repositories of one registry.
   */
  mount?(descriptor: Descriptor, from: ReadOnlyStore, options?: StoreOptions): Promise<boolean>;
}

/** A manifest as a repository gives it, of whatever type. */
export interface RawManifest {
  readonly bytes: Uint8Array;
  /** By which it came. */
  readonly mediaType: string | undefined;
  /** Of the bytes. */
  readonly digest: Digest;
}

/** What came of it: it is gone, or was not there, or the registry cannot do such a thing. */
export type Removal = 'removed' | 'absent' | 'unsupported';

/** A repository, of which manifests and tags can be taken away. */
export interface RemovableRepository {
  /** `registry.example.com/team/tool`. */
  readonly name: string;
  /** What the registry is, where its answers give that away. */
  product(): Promise<string | undefined>;
  /** All tags; none where the repository does not exist. */
  tags(signal?: AbortSignal): Promise<readonly string[]>;
  /**
   * What a tag or a digest names; `undefined` where it names nothing.
   * @throws BundleError CONTENT_MISMATCH where a digest is not that of the bytes.
   */
  manifest(reference: string, signal?: AbortSignal): Promise<RawManifest | undefined>;
  /** What is listed as being about a manifest. */
  referrers(subject: Digest, signal?: AbortSignal): Promise<readonly Digest[]>;
  /** Puts a manifest that points to nothing, under a tag or its digest. */
  put(
    manifest: RawManifest & { readonly mediaType: string },
    under: string,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Takes a manifest away, by its digest; or a tag. */
  remove(reference: string, signal?: AbortSignal): Promise<Removal>;
}
