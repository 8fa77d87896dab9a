import type { Digest } from '../core/digest.ts';
import type { Space } from '../files/space.ts';
import type { Offers } from '../kinds/graph/offers.ts';
import type { Closure } from '../kinds/closure.ts';
import type { SignatureFacts } from '../kinds/signatures/judged.ts';
import type { SigningKey } from '../trust/keys.ts';
import type { IncrementFacts, LeftOut } from './increments/leave-out.ts';
import type { Kept } from './write-bundle.ts';

/** What a patch holds: all of its blobs, and how many of them are configs and layers. */
export interface PatchContent {
  readonly blobs: number;
  readonly layers: number;
  /** Bytes of the configs and layers. */
  readonly layerBytes: number;
}

/** The outcome of a pack. */
export interface PackReport {
  /** The name of the bundle. */
  readonly name: string;
  /** Of the bundle; volumes are numbered behind it. `stdout` for a pipe. */
  readonly path: string;
  /** Bytes of all volumes. */
  readonly size: number;
  readonly bundleDigest: Digest;
  /** Of a patch: the digest of the bundle that it repairs. */
  readonly repairs?: Digest | undefined;
  /** What a patch holds. */
  readonly mends?: PatchContent | undefined;
  /** The files of this run; without a digest where nothing was written. */
  readonly volumes: readonly {
    readonly path: string;
    readonly size: number;
    readonly digest?: Digest;
  }[];
  /** How many volumes earlier runs have finished, and how many are left for a later run. */
  readonly before: number;
  readonly left: number;
  /** `id` is missing where a dry run planned with a key that is yet to be made. */
  readonly signer: { readonly id: string | undefined; readonly algorithm: string };
  readonly closure: Closure;
  /** `undefined` for a pipe. */
  readonly space: Space | undefined;
  /** The work that an earlier run had done already. */
  readonly kept: Kept;
  /** What the update service of the closed side will offer; none without graph data. */
  readonly offers?: readonly Offers[] | undefined;
  /** `undefined` where none were looked for. */
  readonly signatures?: SignatureFacts | undefined;
  /** What it leaves out, where baselines were named. */
  readonly increment?: IncrementFacts | undefined;
  /** Whether it may lack images. */
  readonly isIncompleteAllowed?: boolean | undefined;
  /** The bundles that it completes. */
  readonly completes?: readonly string[] | undefined;
  /** Whether the files lie on a medium that was mounted, and not in a folder of the host. */
  readonly isOnMedium?: boolean | undefined;
  /** On a dry run: the files of that name, and whether the run would replace or continue them. */
  readonly there?: { readonly paths: readonly string[]; readonly isReplaced: boolean } | undefined;
  /** Whether it was begun anew: with the same command it would be again. */
  readonly isRestarted?: boolean | undefined;
  readonly dryRun: boolean;
}

/** The outcome of a pack that makes a bundle for each of several sites. */
export interface EachReport {
  readonly bundles: readonly (PackReport & { readonly site: string })[];
  /** The configs and layers of all of them together, each once: they are fetched once. */
  readonly together: LeftOut;
}

export const NOTHING_KEPT: Kept = { layers: 0, bytes: 0, finished: false };

export function signerOf(key: SigningKey): PackReport['signer'] & { readonly id: string } {
  return { id: key.public.id, algorithm: key.public.algorithm };
}
