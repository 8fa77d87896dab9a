import type { Digest } from '../core/digest.ts';
import {
  type Receipt,
  type ReceiptBundle,
  receiptDigest,
  type ReceiptTarget,
  targetName,
} from './receipt.ts';

/** A bundle that is proven to be at a site, and what proves it. */
export interface ProvenBundle {
  readonly name: string;
  readonly digest: Digest;
  readonly whole: boolean;
  /** Labels of the parts that are there, by their numbers. */
  readonly parts: ReadonlyMap<number, string>;
  /** The receipts that say so, oldest first. */
  readonly receipts: readonly Digest[];
}

/** What all receipts of one site about one target say together. */
export interface SiteStanding {
  readonly site: string;
  readonly target: ReceiptTarget;
  readonly newest: Receipt;
  readonly bundles: readonly ProvenBundle[];
  /** Receipts that count no more, since a later one replaces all before it. */
  readonly replaced: readonly Receipt[];
}

/**
 * Puts receipts together: what is proven is what any of them says, from the last one on that
 * replaces those before it. Their signatures have to be checked already.
 */
export function standingsOf(receipts: readonly Receipt[]): readonly SiteStanding[] {
  const groups = new Map<string, Receipt[]>();
  for (const receipt of receipts) {
    const key = `${receipt.site} ${targetName(receipt.target)}`;
    groups.set(key, [...(groups.get(key) ?? []), receipt]);
  }
  return [...groups.keys()].sort().map((key) => standingOf(inOrder(groups.get(key)!)));
}

/** By their times, which are never equal for two receipts of a site that knew of each other. */
function inOrder(receipts: readonly Receipt[]): readonly Receipt[] {
  return receipts.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

function standingOf(ordered: readonly Receipt[]): SiteStanding {
  const newest = ordered.at(-1)!;
  const from = Math.max(
    0,
    ordered.findLastIndex(({ replaces }) => replaces),
  );
  const proven = new Map<Digest, ProvenBundle>();
  for (const receipt of ordered.slice(from)) {
    const digest = receiptDigest(receipt);
    for (const row of receipt.bundles) {
      proven.set(row.digest, withRow(proven.get(row.digest), row, digest));
    }
  }
  return {
    site: newest.site,
    target: newest.target,
    newest,
    bundles: [...proven.values()],
    replaced: ordered.slice(0, from),
  };
}

function withRow(
  known: ProvenBundle | undefined,
  { name, digest, whole, parts }: ReceiptBundle,
  receipt: Digest,
): ProvenBundle {
  const receipts = known?.receipts ?? [];
  return {
    ...{ name, digest },
    whole: whole || (known?.whole ?? false),
    parts: new Map([
      ...(known?.parts ?? []),
      ...parts.map(({ number, label }) => [number, label] as const),
    ]),
    receipts: receipts.includes(receipt) ? receipts : [...receipts, receipt],
  };
}
