import type { Digest } from './digest.ts';
import type { ErrorCode } from './errors.ts';

/**
 * Facts about a run, in the order they happen. Sentences, rates and drawing belong to cli/present.
 */
export type TransferEvent =
  /**
   * A part of the work begins that may take a while: `what` is a short phrase in the present tense.
   */
  | { readonly type: 'phase'; readonly what: string }
  /**
   * How far a part of the work is that moves no blobs. `total` may grow, as when a list of images
   * turns out to have signatures.
   */
  | {
      readonly type: 'counted';
      readonly what: string;
      readonly done: number;
      readonly total: number;
    }
  /** The amount of work is known: the number of different blobs and their bytes. */
  | {
      readonly type: 'planned';
      readonly blobs: number;
      readonly bytes: number;
      readonly images: number;
    }
  | {
      readonly type: 'started';
      readonly digest: Digest;
      readonly bytes: number;
      readonly image: string;
    }
  /** `bytes` more have been moved (negative when a blob is started again). */
  | { readonly type: 'advanced'; readonly bytes: number }
  | {
      readonly type: 'finished';
      readonly digest: Digest;
      readonly bytes: number;
      readonly image: string;
    }
  /** Not moved since the target holds it. */
  | {
      readonly type: 'skipped';
      readonly digest: Digest;
      readonly bytes: number;
      readonly image: string;
    }
  | {
      readonly type: 'retried';
      readonly what: string;
      readonly cause: string;
      readonly attempt: number;
      readonly delayMs: number;
    }
  /** Nothing has come from the other end for so long; a transfer or a request is waiting for it. */
  | { readonly type: 'waiting'; readonly what: string; readonly silentMs: number }
  /** A mirror does not have it, or failed: the next place is asked. */
  | {
      readonly type: 'passed-over';
      readonly place: string;
      readonly what: string;
      readonly code: ErrorCode;
      readonly cause: string;
    }
  /** The user is asked something: nothing may be drawn until they have answered. */
  | { readonly type: 'asking' }
  /** Something the user has to see, that is no failure. */
  | ({ readonly type: 'noticed' } & Notice);

/**
 * Something that a user has to see, but that is not a failure, by its code. Programs act on the
 * code and the facts (docs/scripts.md); the sentence for people is made in cli/present.
 */
export type Notice =
  /** No signature of its publisher proves a release, and the user allowed that. */
  | { readonly code: 'release-not-proven'; readonly release: string; readonly cause: string }
  /** There is no KubeVirt image for an architecture, though one was asked for. */
  | { readonly code: 'kubevirt-absent'; readonly release: string }
  /** Where the signatures are from that prove something, if there are two kinds of places. */
  | { readonly code: 'proof-found'; readonly what: string; readonly places: readonly string[] }
  /** The folder in which manifests are kept for later runs cannot be used: they are fetched. */
  | { readonly code: 'cache-unusable'; readonly folder: string; readonly cause: string }
  /** The default values of a chart name an image that nothing of it runs: it is not carried. */
  | {
      readonly code: 'chart-image-unused';
      readonly chart: string;
      readonly reference: string;
      /** Where it stands in the values. */
      readonly key: string;
    }
  /** Nothing of a chart runs or names an image: it travels alone. */
  | { readonly code: 'chart-without-images'; readonly chart: string }
  /** A chart holds another one that it does not list as a dependency, and Helm installs that too. */
  | {
      readonly code: 'chart-unlisted-subchart';
      readonly chart: string;
      readonly subchart: string;
    }
  /** The default channel of an operator is another one than in its catalog. */
  | {
      readonly code: 'operator-default-channel';
      readonly package: string;
      readonly was: string;
      readonly is: string;
    }
  /** An operator, or a channel of it, is not carried though it was asked for. */
  | {
      readonly code: 'operator-left-out';
      readonly package: string;
      readonly channel?: string;
      readonly cause: string;
    }
  /** A version of an operator is not carried, since somebody said so, or an image of it is gone. */
  | {
      readonly code: 'bundle-left-out';
      readonly package: string;
      readonly bundle: string;
      readonly cause: string;
    }
  /** What was to be left out of a catalog is not in it: a bundle, or what a pattern is for. */
  | {
      readonly code: 'images-blocked';
      readonly of: string;
      readonly images: number;
      readonly image: string;
      readonly pattern: string;
    }
  | { readonly code: 'skip-matches-nothing'; readonly catalog: string; readonly value: string }
  /** A catalog is carried that has no operators. */
  | { readonly code: 'catalog-empty'; readonly catalog: string }
  /** OLM would refuse a catalog that is carried: the first of its faults, in words. */
  | {
      readonly code: 'catalog-refused';
      readonly catalog: string;
      readonly filter: string;
      readonly count: number;
      readonly faults: readonly string[];
    }
  /** What an operator requires is not carried; these operators of the catalog would satisfy it. */
  | {
      readonly code: 'operator-requires';
      readonly package: string;
      readonly bundle: string;
      readonly requires: string;
      readonly providers: readonly string[];
    }
  /** A catalog names an image by a tag, which moves: this digest is carried. */
  | { readonly code: 'image-by-tag'; readonly image: string; readonly digest: Digest }
  /** A key was made, since the user had none. */
  | {
      readonly code: 'made-signing-key';
      readonly path: string;
      readonly algorithm: string;
      readonly keyId: string;
    }
  /** The file system holds no larger files: the bundle is cut into volumes. */
  | { readonly code: 'split-for-fat32'; readonly folder: string; readonly volumes: number }
  /** Volumes are larger than plain ISO 9660 holds: `limit` bytes. */
  | { readonly code: 'volumes-need-udf'; readonly limit: number }
  /** Blobs that an earlier run had written already, and their bytes. */
  | { readonly code: 'kept-of-earlier-run'; readonly layers: number; readonly bytes: number }
  /** The run was interrupted: the same command continues what it left in the folder. */
  | { readonly code: 'replaced-when-whole' | 'restart-continued'; readonly path: string }
  | {
      readonly code: 'can-be-continued';
      readonly folder: string;
      readonly isRestarted: boolean;
    }
  /** A delivery failed: what it has pushed stays at the target, and is not sent again. */
  | {
      readonly code: 'delivery-can-be-continued';
      readonly target: string;
      /** Images that are there with all that belongs to them, of how many. */
      readonly done: number;
      readonly images: number;
      /** Whether a part has its tag there, by which it is found. */
      readonly isNamed: boolean;
      /** Whether the source is damaged: the same command would fail again. */
      readonly isDamage: boolean;
    }
  /** Earlier runs have finished volumes 1 to `done` of `count`, in these folders. */
  | {
      readonly code: 'volumes-written-earlier';
      readonly done: number;
      readonly count: number;
      readonly folders: readonly string[];
    }
  /** A patch is damaged itself: what is damaged of it is not used. */
  | { readonly code: 'patch-damaged'; readonly patch: string; readonly cause: string }
  /** The contents of the bundle that is about to be unpacked. */
  | { readonly code: 'bundle-opened'; readonly bundle: Digest; readonly parts: readonly string[] }
  /**
   * The publishers' signatures are good, but the signer of the bundle is not trusted on this host.
   */
  | { readonly code: 'signer-not-trusted'; readonly signer: string }
  /** A bundle is damaged, but its good content is used. */
  | { readonly code: 'bundle-damaged'; readonly bundle: string; readonly cause: string }
  /** The folder to write to was not there, and was made. */
  | {
      readonly code: 'made-folder';
      readonly folder: string;
      readonly mountPoint: string;
      readonly free: number;
    }
  /** The folder to write to is empty or new, and is where media are mounted, but on none. */
  | {
      readonly code: 'nothing-mounted';
      readonly folder: string;
      readonly mountPoint: string;
      readonly free: number;
    }
  /** One of the faults that an audit has found; the run ends with the gravest. */
  | { readonly code: 'fault-found'; readonly cause: string; readonly gravest: boolean }
  /** The totals of an audit. */
  | {
      readonly code: 'audit-failed';
      readonly faults: number;
      readonly good: number;
      readonly goodBytes: number;
      readonly lost: number;
    }
  /** The file that says what is damaged, for a patch. */
  | { readonly code: 'damage-map-written'; readonly path: string }
  /** The bundle is good, and a file of that name is from an earlier run: it was left as it is. */
  | { readonly code: 'damage-map-left'; readonly path: string }
  | { readonly code: 'damage-map-not-written'; readonly cause: string }
  /** A file that was named is a pipe, and nothing comes through it. */
  | { readonly code: 'pipe-awaited'; readonly name: string }
  /** The file that says by digest what a set has come to. */
  | { readonly code: 'lock-written'; readonly path: string }
  /** The tags of the target could not be listed, so nobody knows whether it has newer things. */
  | { readonly code: 'newer-not-known'; readonly target: string; readonly cause: string }
  /** The target may be written to, but its tags not read: nobody knows what they name now. */
  | { readonly code: 'tags-not-known'; readonly targets: readonly string[]; readonly cause: string }
  /** The target holds newer things of a kind than what is delivered. */
  | {
      readonly code: 'newer-at-target';
      readonly target: string;
      readonly kind: string;
      readonly names: readonly string[];
    }
  /**
   * Signatures or referrers were left out: no mirror has them, and the places could not be asked.
   */
  | {
      readonly code: 'attached-not-asked';
      readonly what: string;
      readonly repository: string;
      readonly places: readonly string[];
    }
  /**
   * Signatures that refer to images of a repository cannot be listed, or one of them cannot be read:
   * it is left out.
   */
  | { readonly code: 'signatures-not-read'; readonly repository: string; readonly cause: string }
  /** Signatures that are kept beside images could not be read at a place: they are left out. */
  | { readonly code: 'lookaside-not-read'; readonly place: string; readonly cause: string }
  /** What is kept beside an image is no signature of it, and is left out. */
  | {
      readonly code: 'lookaside-left-out';
      readonly image: string;
      /** The manifest of it that it is kept for. */
      readonly digest: Digest;
      readonly cause: string;
    }
  /** Images that only the packer proves: hosts that do not trust their key refuse the bundle. */
  | {
      readonly code: 'needs-trusted-packer';
      readonly images: number;
      /** One of them. */
      readonly image: string;
      readonly cause: string;
    }
  /** Volumes that were written for other media, with which this run does not go on. */
  | {
      readonly code: 'set-left';
      /** Of the first one. */
      readonly path: string;
      readonly volumes: number;
      readonly volumeSize: number;
    }
  /** So much is damaged that what is damaged cannot be listed. */
  | { readonly code: 'damage-map-impossible'; readonly path: string }
  /** All volumes of this set were written before, for other media; now it is begun again. */
  | {
      readonly code: 'set-again';
      readonly volumes: number;
      /** Of the last one. */
      readonly path: string;
    }
  /** A file that may hold credentials, and that nobody named, cannot be read. */
  | { readonly code: 'auth-file-not-read'; readonly path: string; readonly cause: string }
  /** An auth file cannot be replaced where it is, so it was written to. */
  | { readonly code: 'auth-file-in-place'; readonly path: string }
  /**
   * A registry redirects to a storage that cannot be asked from here: what it redirects for counts
   * as there, unchecked.
   */
  | {
      readonly code: 'storage-not-asked';
      readonly registry: string;
      readonly storage: string;
      readonly cause: string;
    }
  /** The updates that were chosen, and the names of their risks. */
  | {
      readonly code: 'update-path';
      readonly versions: readonly string[];
      readonly architecture: string;
      readonly risks: readonly string[];
    }
  /** Versions that were chosen out of a channel; risks of the updates between them, if any. */
  | {
      readonly code: 'channel-chosen';
      readonly channel: string;
      readonly architecture: string;
      readonly versions: readonly string[];
      readonly risks: readonly string[];
    }
  /** Of several channels: no update leads from the first to the last of what was chosen. */
  | {
      readonly code: 'no-update-path';
      readonly channel: string;
      readonly from: string;
      readonly to: string;
    }
  /** The file with what is wanted has something that its author should look at. */
  | {
      readonly code: 'image-set-warning';
      readonly path: string;
      readonly line: number;
      readonly message: string;
    }
  /** Lists of which some images are left out: not every registry takes them. */
  | {
      readonly code: 'lists-cut';
      readonly images: number;
      /** One of them. */
      readonly image: string;
    }
  /** All platforms of something are carried, though a file names some of them. */
  | { readonly code: 'platforms-not-cut'; readonly what: string }
  /** The history could not be written: what was packed or delivered is whole all the same. */
  | {
      readonly code: 'history-not-kept';
      readonly folder: string;
      readonly what: string;
      readonly cause: string;
    }
  /** A bundle is made for a site of which no receipt is here: nothing is left out for it. */
  | { readonly code: 'site-without-receipts'; readonly site: string }
  /** Receipts are not counted here, for this cause. */
  | {
      readonly code: 'receipt-left-aside';
      readonly receipts: readonly string[];
      readonly cause: string;
    }
  /** A receipt of the same site and target is later than this one, which was made at `time`. */
  | {
      readonly code: 'receipt-older';
      readonly receipt: string;
      readonly site: string;
      readonly time: string;
      readonly newest: string;
      /** Whether the later one replaces it, so that it counts for nothing. */
      readonly isReplaced: boolean;
    }
  /** A receipt names a bundle that is not known here. */
  | {
      readonly code: 'bundle-not-known';
      readonly site: string;
      readonly name: string;
      readonly bundle: Digest;
    }
  /** No part of a bundle has arrived whole, so there is nothing that a receipt could say. */
  | { readonly code: 'no-receipt'; readonly bundle: Digest }
  /** An image cannot be had, and the bundle will list it as missing. */
  | {
      readonly code: 'image-missing';
      readonly image: string;
      readonly reason: string;
      readonly cause: string;
    }
  /** Nothing can be left out of a part that lacks images, for this cause: it lacks them still. */
  | { readonly code: 'part-stays-incomplete'; readonly part: string; readonly cause: string }
  /** A blob could not be had: the bundle is started again without the images that need it. */
  | { readonly code: 'packing-without'; readonly blobs: number; readonly images: number }
  /** An opened bundle lists images that it does not have. */
  | {
      readonly code: 'bundle-incomplete';
      readonly images: number;
      readonly parts: readonly string[];
    }
  /** Volumes that have the names of others, and what each should be called. */
  | {
      readonly code: 'volumes-misnamed';
      readonly files: readonly {
        readonly path: string;
        /** The number of the volume that it holds. */
        readonly volume: number;
        readonly rightPath: string;
      }[];
    }
  /** Something that cannot be had is left out. */
  | { readonly code: 'left-out'; readonly cause: string }
  /**
   * An image is left out of a copy that may leave things out: the first of its blobs that cannot be
   * had is so for this cause. It is the one with this number, of so many images.
   */
  | {
      readonly code: 'image-left-out';
      readonly image: string;
      readonly cause: string;
      readonly number: number;
      readonly images: number;
    }
  /** A program has no place for a fact that should be written into it. */
  | { readonly code: 'marker-not-found'; readonly archive: string; readonly marker: string }
  /** A program was changed, and cannot be signed again as it was: macOS may refuse to run it. */
  | { readonly code: 'code-signature-broken'; readonly archive: string }
  /** So many requests have failed that the run retries no more. */
  | { readonly code: 'retry-budget-exhausted'; readonly retries: number };

export type Observe = (event: TransferEvent) => void;
