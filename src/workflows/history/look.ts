import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import type { BundleManifest } from '../../bundle/format/manifest.ts';
import type { Digest } from '../../core/digest.ts';
import { believedReceipts } from '../../history/believed.ts';
import { History } from '../../history/history.ts';
import { provenAt } from '../../history/proven.ts';
import type { Kind } from '../../kinds/kind.ts';
import { labelOf } from '../../opening/derive.ts';
import { believedKeys } from '../../opening/signers.ts';
import type { CheckedReceipt } from '../../receipts/signed.ts';
import { type SiteStanding, standingsOf } from '../../receipts/standing.ts';

export interface HistoryRequest {
  readonly history: string;
  readonly trustedKeyFiles: readonly string[];
  readonly kinds: readonly Kind[];
}

/** A bundle that is known here. */
export interface PackedBundle {
  readonly digest: Digest;
  readonly name: string;
  readonly kept: Date;
  readonly labels: readonly string[];
  /** All of its blobs and manifests. */
  readonly blobs: number;
  readonly bytes: number;
  /** Sites that have all of it. */
  readonly sites: readonly string[];
}

export interface HistoryReport {
  readonly folder: string;
  readonly bundles: readonly PackedBundle[];
  /** Oldest first. */
  readonly deliveries: readonly CheckedReceipt[];
  readonly sites: readonly SiteReport[];
  /** Listings that were damaged: what is wrong with them. */
  readonly damaged: readonly BundleError[];
}

/** What is proven to be at a site. */
export interface SiteReport extends SiteStanding {
  readonly blobs: number;
  readonly bytes: number;
  /** Bundles of which nothing is known here. */
  readonly unknown: readonly Digest[];
}

/** All that the history knows. @throws BundleError DISK */
export async function readHistory(
  { history: folder, trustedKeyFiles, kinds }: HistoryRequest,
  context: Context,
): Promise<HistoryReport> {
  const history = new History(folder);
  const keys = await believedKeys(trustedKeyFiles, context);
  const deliveries = await believedReceipts(history, keys, context.observe);
  const standings = standingsOf(deliveries.map(({ receipt }) => receipt));
  const bundles: PackedBundle[] = [];
  const damaged: BundleError[] = [];
  for (const { digest, kept } of await history.bundles()) {
    try {
      const known = await history.bundle(digest);
      if (known === undefined) continue; // it was removed meanwhile
      const has = ({ bundles: there }: SiteStanding): boolean =>
        there.some((one) => one.digest === digest && one.whole);
      const sites = standings.filter(has).map(({ site }) => site);
      bundles.push({ ...factsOf(known.manifest, kinds), digest, kept, sites });
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      damaged.push(error);
    }
  }
  const sites: SiteReport[] = [];
  for (const standing of standings) {
    const good = standing.bundles.filter(({ digest }) => bundles.some((b) => b.digest === digest));
    const { blobs } = await provenAt({ ...standing, bundles: good }, history);
    const bytes = [...blobs.values()].reduce((sum, { size }) => sum + size, 0);
    const unknown = standing.bundles.filter((one) => !good.includes(one));
    sites.push({
      ...standing,
      blobs: blobs.size,
      bytes,
      unknown: unknown.map(({ digest }) => digest),
    });
  }
  const inOrder = deliveries.toSorted((a, b) => (a.receipt.time < b.receipt.time ? -1 : 1));
  return { folder, bundles, deliveries: inOrder, sites, damaged };
}

function factsOf(
  { name, parts, blobs }: BundleManifest,
  kinds: readonly Kind[],
): Pick<PackedBundle, 'name' | 'labels' | 'blobs' | 'bytes'> {
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  return { name, labels: parts.map((part) => labelOf(part, kinds)), blobs: blobs.length, bytes };
}
