import type { PartFile } from '../bundle/format/plan.ts';
import type { ClusterFacts } from '../cluster/facts.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import type { Observe } from '../core/events.ts';
import type { Limit } from '../core/concurrency.ts';
import type { Blocker } from '../image-sets/image-set.ts';
import type { WalkedImage } from '../transfer/image.ts';
import type { PartAtCluster } from './at-cluster.ts';
import type { AttachedImages } from './attached.ts';
import type { Destinations } from './destinations.ts';
import type { AbsentTags, Drop, Holes, PartHole } from './holes.ts';
import type { MirrorRow } from './mirror-row.ts';
import type {
  Extras,
  ResourceFile,
  ResourceWishes,
  ShownStep,
  WantedExtras,
} from './resource-file.ts';
import type { ContentSource, Sources } from './sources.ts';
import type { ManifestWalker } from '../transfer/walk.ts';
import type { ReleaseKeys } from '../trust/release-keys.ts';

/**
 * A kind of content that a bundle can hold, such as releases. Only a kind knows what its parts are
 * made of; all other code moves images, files and bytes.
 *
 * A part is made in two steps. The first finds its seed: the few facts from which everything else
 * is derived, a digest and its proof. The seed is found at registries, as the user asked for it, or
 * read from a bundle. The second step expands the seed. It is one function for both cases, so that
 * a reader trusts nothing that a bundle says about itself.
 *
 * @typeParam Request what a user asks for.
 * @typeParam Seed what a part follows from.
 * @typeParam Facts what reports say of a part.
 */
export interface Kind<Request = unknown, Seed = unknown, Facts = unknown> {
  /** As rows of `bundle.json` have it. */
  readonly name: string;
  /**
   * Parts of this kind go along with others: beside parts of another kind they do not count for the
   * name of the bundle.
   */
  readonly accompanies?: boolean;
  /**
   * The kind of the parts that its own parts speak about: they are not brought to a target while one
   * of those is not whole there.
   */
  readonly describes?: string;
  /**
   * The requests for one part each that a request stands for, where one may stand for several.
   * @throws BundleError of the network
   */
  divide?(request: Request, sources: Sources, options: FindOptions): Promise<readonly Request[]>;
  /**
   * Settles at registries what was asked for: names become digests, proofs are fetched and checked.
   * @throws BundleError NOT_FOUND, SIGNATURE_MISSING, SIGNATURE_INVALID, SIGNER_UNKNOWN, USAGE, and
   * of the network
   */
  find(request: Request, sources: Sources, options: FindOptions): Promise<Found<Seed>>;
  /**
   * Resolves again the tags in a seed that could not be resolved when it was packed: for a bundle
   * that completes an earlier one. A kind without it has no such seeds.
   * @throws BundleError as {@link find} does
   */
  settle?(
    seed: Seed,
    content: ContentSource,
    sources: Sources,
    options: FindOptions,
  ): Promise<Seed>;
  /**
   * Finds a part again without what needs images that nobody could get. A kind without it has
   * nothing that could be left out.
   * @throws BundleError as {@link find} does
   */
  drop?(
    lacking: Lacking<Request, Seed>,
    sources: Sources,
    options: FindOptions,
  ): Promise<Dropped<Seed>>;
  /**
   * Takes a seed out of a row of `bundle.json` and the files of the bundle, and checks its proofs
   * again.
   * @param claim the row without its kind. Nobody has checked anything of it.
   * @throws BundleError SIGNATURE_MISSING, SIGNATURE_INVALID, SIGNER_UNKNOWN, UNSUPPORTED_CONTENT,
   * USAGE
   */
  read(claim: JsonObject, files: BundleFiles, options: ReadOptions): Promise<Seed>;
  /** How a row of `bundle.json` is called that nobody has checked: for reports of damage. */
  labelOf(claim: JsonObject): string;
  /** The names by which users may select the part of such a row: to choose among bundles. */
  namesOf(claim: JsonObject): readonly string[];
  /** As words for a shell, a `pack` that asks for the parts of such rows: to print that command. */
  packWords(claims: readonly JsonObject[]): readonly string[];
  /** Two seeds with one digest are one part. */
  digestOf(seed: Seed): Digest;
  /**
   * The same for a row of `bundle.json`, where it is not the `digest` of the row. @returns
   * `undefined` for a row that is none.
   */
  digestOfClaim?(claim: JsonObject): Digest | undefined;
  /**
   * Everything that a part consists of. The order of its images follows from the content alone.
   * @throws BundleError naming the image
   */
  expand(seed: Seed, content: ContentSource, walk: Walk): Promise<Part<Facts>>;
  /**
   * The order of two parts in a bundle: negative where `a` comes first, 0 for parts that differ in
   * their digest alone.
   */
  compare(a: Facts, b: Facts): number;
  /**
   * The name of a bundle that holds only these parts.
   * @returns `undefined` as long as that is not known.
   */
  bundleName(parts: readonly (Request | Facts)[]): string | undefined;
  /**
   * The names among `tags` of a target that are newer than all of the parts. They are reported,
   * since the user may not want to install an older release.
   */
  newerThan(parts: readonly Part<Facts>[], tags: readonly string[]): readonly string[];
  /**
   * The files that a cluster or its operator needs for a part that is at its target.
   * @throws BundleError USAGE for a part that cannot be called as it is wished.
   */
  resources(part: Part<Facts>, at: Destinations, wishes?: ResourceWishes): PartResources;
  /**
   * More files, for all parts of the kind, where somebody wants them.
   * @throws BundleError USAGE for wishes that these parts cannot fulfil.
   */
  extras?(parts: readonly Part<Facts>[], at: Destinations, wanted: WantedExtras): Extras;
  /** How a part stands to a cluster, for a kind that a cluster knows something about. */
  atCluster?(part: Part<Facts>, cluster: ClusterFacts, at: Destinations): PartAtCluster | undefined;
}

/** A seed, and the place that its content comes from. */
export interface Found<Seed = unknown> {
  readonly seed: Seed;
  readonly content: ContentSource;
}

/** A part that lacks images. */
export interface Lacking<Request = unknown, Seed = unknown> {
  readonly request: Request;
  readonly seed: Seed;
  readonly holes: readonly PartHole[];
}

/** The part without what needs these, or why it has to stay as it is. */
export type Dropped<Seed = unknown> = Found<Seed> | { readonly stays: string };

/** One thing that was asked for, with all that follows from it. */
export interface Part<Facts = unknown> {
  readonly kind: string;
  /** How reports call it: `4.17.3 for x86_64`. */
  readonly label: string;
  /** The names by which users may select the part: version, version and architecture, digest. */
  readonly names: readonly string[];
  readonly facts: Facts;
  /** Its row of `bundle.json`, without the kind: the same facts will be derived from it. */
  readonly claim: JsonObject;
  readonly images: readonly WalkedImage[];
  /** The images that it has too, and that nobody could get; none, unless that was allowed. */
  readonly holes?: readonly PartHole[];
  /** What was left out of it for such images, by name: nothing of the part needs them any more. */
  readonly drops?: ReadonlyMap<string, Drop>;
  readonly files: readonly PartFile[];
  /** Blobs that a reader of a pipe needs before all others, in the order in which it needs them. */
  readonly leading: readonly Descriptor[];
  /** Signatures of its images that are kept beside registries: they are among its files, too. */
  readonly lookaside?: readonly LookasideSignature[];
  /**
   * Signatures that prove the part, and travel in another form: they may be kept beside a registry,
   * too.
   */
  readonly proofs?: readonly LookasideSignature[];
}

/** An OpenPGP message that is about a manifest, and is kept beside the registry of its image. */
export interface LookasideSignature {
  readonly subject: Digest;
  readonly message: Uint8Array;
  /** Of the message. */
  readonly digest: Digest;
}

/** Something that a user asked for. */
export interface PartRequest {
  readonly kind: Kind;
  readonly request: unknown;
}

/** A request for a part of a kind, whose type that kind has checked. */
export function partRequest<Request, Seed, Facts>(
  kind: Kind<Request, Seed, Facts>,
  request: Request,
): PartRequest {
  return { kind: kind, request };
}

export interface FindOptions {
  /** The time that signatures and keys are judged by. */
  readonly now: Date;
  readonly signal: AbortSignal;
  readonly observe: Observe;
  /** Where a bundle may lack images: which may be left out that are named by a tag. */
  readonly absent?: AbsentTags | undefined;
  /** What is left out of a part from the start, by the name that it is asked for by. */
  readonly dropped?: ((reference: string) => ReadonlyMap<string, Drop>) | undefined;
  /** Leaves out images of operators and charts that are not wanted. */
  readonly blocker?: Blocker | undefined;
}

/** The files of a bundle that are no blobs, by path. */
export type BundleFiles = ReadonlyMap<string, Uint8Array>;

export interface ReadOptions {
  /** OpenPGP keys that publishers may have signed with, beside the built-in ones. */
  readonly releaseKeys: ReleaseKeys;
  /** The time that signatures and keys are judged by. */
  readonly now: Date;
}

/** Walks the images of a bundle: one walk for all parts, so that nothing is fetched twice. */
export interface Walk {
  readonly walker: ManifestWalker;
  readonly attached: AttachedImages;
  /** Small requests at a time. */
  readonly lookups: Limit;
  readonly signal: AbortSignal;
  readonly observe: Observe;
  /** Which images the part may do without; none where it is left out. */
  readonly holes?: Holes;
}

/** What a cluster or an operator is given for a part that is at its target. */
export interface PartResources {
  readonly files: readonly ResourceFile[];
  /** What mirror sets have to list. An image that is asked for at its target has none. */
  readonly mirrors: readonly MirrorRow[];
  /** Repositories of the target that its objects name: clusters read these, too. */
  readonly named?: readonly string[];
  /** The minor version of OpenShift that it is; `undefined` for what clusters of any version use. */
  readonly minor?: number | undefined;
  /** The lines of its section in `next-steps.txt`, for a cluster that was prepared for all parts. */
  section(paths: DeliveredPaths): readonly string[];
  /**
   * What matters at once, when the cluster is prepared. Steps of several parts that have one
   * condition are shown as one.
   */
  shown?(paths: DeliveredPaths): readonly ShownStep[];
  /** The commands that take a cluster to the part: of several such parts only one is wanted next. */
  update?(paths: DeliveredPaths): readonly string[];
}

/** Files that were written, as the reader of a text would type their paths. */
export interface DeliveredPaths {
  readonly mirrorSet: string;
  /** For `install-config.yaml`. */
  readonly install: readonly string[];
  /** @param name of a resource file of the part. */
  of(name: string): string;
}
