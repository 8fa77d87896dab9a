import type { Digest } from '../../core/digest.ts';
import type { Kind, Part } from '../kind.ts';
import type { ReleaseRequest } from '../release/request.ts';
import type { Reader } from './fields.ts';

/** What a run that follows a lock decides itself: what proves things, and where they are now. */
export interface LockedRun {
  readonly proof: Pick<
    ReleaseRequest,
    'releaseKeyFiles' | 'signatureStores' | 'allowUnsignedRelease'
  >;
  /** Where the graph data of the lock are, if not where they were. */
  readonly graphData?: string | undefined;
  /** Path of a keyring for charts. */
  readonly chartKeyring?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What a tag named when a lock was written: `registry/repository:tag`, and the digest. */
export type LockedTag = readonly [string, Digest];

/**
 * How a lock keeps the parts of one kind: a row for each, which people read, and by which the very
 * same part is found again. A row is never believed: it says only what to ask for.
 *
 * @typeParam Row plain JSON.
 */
export interface LockForm<Row extends object, Request, Facts> {
  readonly kind: Kind;
  rowOf(part: Part<Facts>, request: Request): Row;
  /** @throws BundleError UNSUPPORTED_CONTENT for a row that no lock has. */
  readonly read: Reader<Row>;
  /** @throws BundleError UNSUPPORTED_CONTENT, USAGE for a row that no lock has. */
  requestOf(row: Row, run: LockedRun): Request;
  /** The tags that are asked for to find the part. */
  tagsIn(row: Row): readonly LockedTag[];
}
