import type { Digest } from '../core/digest.ts';
import { hasCode } from '../core/errors.ts';
import { VERSION } from '../core/version.ts';
import type { Destinations } from '../kinds/destinations.ts';
import type { SigningKey } from '../trust/keys.ts';
import {
  type ReceiptBundle,
  receiptDigest,
  type ReceiptTarget,
  targetName,
  timeAfter,
} from './receipt.ts';
import { type CheckedReceipt, checkReceipt, type SignedReceipt, signReceipt } from './signed.ts';
import { type ProvenBundle, standingsOf } from './standing.ts';

/** What a receipt is about to say. */
export interface Issue {
  readonly site: string;
  readonly target: ReceiptTarget;
  /** What this run knows, and no earlier one. */
  readonly bundles: readonly ReceiptBundle[];
  /** Repeats nothing of earlier receipts, and replaces them. */
  readonly isAfresh?: boolean;
  /**
   * Bundles that are not there any more, or not whole: where an earlier receipt names one, this one
   * replaces it.
   */
  readonly gone?: readonly Digest[];
}

/**
 * Makes and signs a receipt. It repeats what the earlier receipts of this site say that were signed
 * with the same key, unless it replaces them: so the loss of one costs nothing.
 * @param earlier of any sites, unchecked.
 */
export function issueReceipt(
  { site, target, bundles, isAfresh = false, gone = [] }: Issue,
  earlier: readonly SignedReceipt[],
  key: SigningKey,
  now: Date,
): CheckedReceipt {
  const own = earlier
    .filter((signed) => isOwn(signed, site, target, key))
    .map(({ receipt }) => receipt);
  const standing = standingsOf(own)[0];
  const known = standing?.bundles ?? [];
  const replaces = isAfresh || known.some(({ digest }) => gone.includes(digest));
  const repeated = (isAfresh ? [] : known).flatMap((one) => rowAgain(one, bundles, gone));
  const previous = standing?.newest;
  return signReceipt(
    {
      site,
      time: timeAfter(now, previous),
      previous: previous === undefined ? null : receiptDigest(previous),
      replaces,
      target,
      bundles: [...bundles, ...repeated],
      program: `ocp-bundle ${VERSION}`,
    },
    key,
  );
}

/** What an earlier receipt has said of a bundle, unless this one knows it better. */
function rowAgain(
  { name, digest, whole, parts }: ProvenBundle,
  bundles: readonly ReceiptBundle[],
  gone: readonly Digest[],
): readonly ReceiptBundle[] {
  const fresh = bundles.find((row) => row.digest === digest);
  if (gone.includes(digest) || fresh?.whole === true) return [];
  if (fresh !== undefined && !whole && covers(fresh, parts)) return [];
  const rows = [...parts].toSorted(([a], [b]) => a - b);
  const labelled = rows.map(([number, label]) => ({ number, label }));
  return [{ name, digest, whole, known: 'earlier', parts: labelled }];
}

function covers({ parts }: ReceiptBundle, known: ReadonlyMap<number, string>): boolean {
  return [...known.keys()].every((number) => parts.some((part) => part.number === number));
}

/** Somebody else's may lie there too, and proves nothing that this key could stand for. */
function isOwn(
  signed: SignedReceipt,
  site: string,
  target: ReceiptTarget,
  key: SigningKey,
): boolean {
  const { receipt } = signed;
  if (receipt.site !== site || targetName(receipt.target) !== targetName(target)) return false;
  return isSignedBy(signed, key);
}

export function isSignedBy(signed: SignedReceipt, key: SigningKey): boolean {
  try {
    checkReceipt(signed, [key.public], '');
    return true;
  } catch (error) {
    if (hasCode(error, 'SIGNER_UNKNOWN') || hasCode(error, 'SIGNATURE_INVALID')) return false;
    throw error;
  }
}

/** The target of a receipt, as deliveries know it. */
export function receiptTarget({
  target,
  entry,
  content,
  graph,
  maxNestedPaths,
}: Destinations): ReceiptTarget {
  return {
    registry: target.registry,
    namespace: target.namespace ?? null,
    places: {
      entry: entry.repository,
      content: content.repository,
      graph: graph.repository,
    },
    maxNestedPaths: maxNestedPaths ?? null,
  };
}

/** A site that has no name is called like its registry. */
export function siteOf(named: string | undefined, { registry }: ReceiptTarget): string {
  return named ?? registry;
}
