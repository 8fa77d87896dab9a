import type { OffersRequest } from '../../kinds/graph/offers.ts';
import type { NetworkOptions } from '../../network/network.ts';
import type { BaselineRequest } from '../../opening/incomplete/baselines.ts';
import type { OpenRequest } from '../../opening/open-bundle.ts';
import type { LockableRequest } from '../../packing/lock/follow.ts';
import type { NameRequest } from '../../packing/naming.ts';
import type { KeySource } from '../../packing/signing-key.ts';
import type { FileJob } from '../../packing/to-files.ts';

/** A pack: which parts, from where, and the key that signs them. */
export interface PackIntoPipeRequest extends LockableRequest, NameRequest {
  readonly key: KeySource;
  readonly network: NetworkOptions;
  /** Bytes per second at which blobs are fetched at most. */
  readonly limitRate?: number | undefined;
  /** Which updates the update service of the closed side has to offer. */
  readonly offers?: OffersRequest | undefined;
  /** What may be left out, since its site has it. */
  readonly baselines?: BaselineRequest | undefined;
  /** Bundles on disk: what they hold of it is read from them, and asked for at no registry. */
  readonly fromBundles?: OpenRequest | undefined;
  /** The folder in which it is kept what the bundle lists, if it is to be kept. */
  readonly history?: string | undefined;
}

export interface PackRequest
  extends PackIntoPipeRequest, Pick<FileJob, 'volumeSize' | 'stopAfter' | 'restart'> {
  /** A folder, or a file that is called like a bundle. */
  readonly output: string;
  /** A damage map: then only what it lists is packed, as a patch for the bundle that it is of. */
  readonly repairFile?: string | undefined;
  readonly dryRun: boolean;
}
