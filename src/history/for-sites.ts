import type { Observe } from '../core/events.ts';
import { standingsOf } from '../receipts/standing.ts';
import {
  type Delivered,
  distinct,
  type Known,
  noReceiptOf,
  siteName,
  withAssumed,
} from './baselines.ts';
import type { KeptBundle } from './entry.ts';
import { provenEverywhere } from './everywhere.ts';

/** What is known of deliveries, and of receipts that do not count. */
export interface KnownOfSites extends Known {
  /** Sites that have sent receipts which are not believed. */
  readonly unbelieved: ReadonlySet<string>;
}

/**
 * What each of several sites has by its own receipts. One with several targets counts with what all
 * of them have. A site without receipts has nothing, which is told.
 * @param assumed listings of bundles that are taken for delivered to all of them.
 * @throws BundleError NOT_PROVEN for a site whose receipts are not believed, and where no site has
 * any
 */
export async function deliveredToAll(
  sites: readonly string[],
  assumed: readonly KeptBundle[],
  { receipts, listings, unbelieved, untrusted }: KnownOfSites,
  observe: Observe,
): Promise<Delivered> {
  const standings = standingsOf(distinct(receipts));
  const own = sites.map((site) => standings.filter((one) => one.site === site));
  const isNew = sites.filter((_, at) => own[at]!.length === 0);
  const lost = isNew.find((site) => unbelieved.has(site));
  if (lost !== undefined) throw noReceiptOf([lost], standings, untrusted);
  for (const site of isNew) observe({ type: 'noticed', code: 'site-without-receipts', site });
  const targets = own.flat();
  const proven =
    isNew.length > 0 ? { blobs: new Map() } : await provenEverywhere(targets, listings, observe);
  return { sites: targets.map(siteName), blobs: withAssumed(proven, assumed) };
}

/**
 * Makes sure that something is known of at least one site: else a name was mistyped, or the history
 * is another one. @throws BundleError NOT_PROVEN
 */
export function requireAnyReceipt(
  sites: readonly string[],
  { receipts, untrusted }: Pick<KnownOfSites, 'receipts' | 'untrusted'>,
): void {
  const standings = standingsOf(distinct(receipts));
  if (!standings.some(({ site }) => sites.includes(site)))
    throw noReceiptOf(sites, standings, untrusted);
}
