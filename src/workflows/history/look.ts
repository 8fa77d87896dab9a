import type { Context } from '../../core/context.ts';
import { BundleError } from '../../core/errors.ts';
import type { BundleManifest } from '../../bundle/format/manifest.ts';
import type { Digest } from '../../core/digest.ts';
import { believedReceipts } from '../../history/believed.ts';
import { isThere } from '../../files/look.ts';
import { History } from '../../history/history.ts';
import { provenAt } from '../../history/proven.ts';
import type { Kind } from '../../kinds/kind.ts';
import { labelOf } from '../../opening/derive.ts';
import { believedKeys } from '../../opening/signers.ts';
import type { CheckedReceipt } from '../../receipts/signed.ts';
import { type ProvenBundle, type SiteStanding, standingsOf } from '../../receipts/standing.ts';

export interface HistoryRequest {
  readonly history: string;
  /** Somebody has named the folder, so it has to be there. */
  readonly isNamed: boolean;
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
  /** How many receipts are here that are not counted: notices have said why. */
  readonly leftAside: number;
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

/** All that the history knows. @throws BundleError DISK; NOT_FOUND for a named folder */
export async function readHistory(
  { history: folder, isNamed, trustedKeyFiles, kinds }: HistoryRequest,
  context: Context,
): Promise<HistoryReport> {
  if (isNamed && !(await isThere(folder))) {
    throw new BundleError('NOT_FOUND', `there is no history at ${folder}`, {
      hint: 'Check the path. A folder is made by the first command that keeps something there.',
    });
  }
  const history = new History(folder);
  const keys = await believedKeys(trustedKeyFiles, context);
  let leftAside = 0;
  const deliveries = await believedReceipts(history, keys, (event) => {
    if (event.type === 'noticed' && event.code === 'receipt-left-aside')
      leftAside += event.receipts.length;
    context.observe(event);
  });
  const standings = standingsOf(deliveries.map(({ receipt }) => receipt));
  const manifests = new Map<Digest, BundleManifest>();
  const listed: Omit<PackedBundle, 'sites'>[] = [];
  const damaged: BundleError[] = [];
  for (const { digest, kept } of await history.bundles()) {
    try {
      const known = await history.bundle(digest);
      if (known === undefined) continue; // it was removed meanwhile
      manifests.set(digest, known.manifest);
      listed.push({ ...factsOf(known.manifest, kinds), digest, kept });
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      damaged.push(error);
    }
  }
  const bundles = listed.map((bundle): PackedBundle => {
    const has = ({ bundles: there }: SiteStanding): boolean =>
      there.some((one) => one.whole && brings(one.digest, bundle.digest, manifests));
    return { ...bundle, sites: standings.filter(has).map(({ site }) => site) };
  });
  const sites: SiteReport[] = [];
  for (const standing of standings) {
    const good = standing.bundles.filter(({ digest }) => bundles.some((b) => b.digest === digest));
    const { blobs } = await provenAt({ ...standing, bundles: good }, history);
    const bytes = [...blobs.values()].reduce((sum, { size }) => sum + size, 0);
    const unknown = standing.bundles.filter((one) => !good.includes(one));
    sites.push({
      ...standing,
      bundles: standing.bundles.map((one) => asListed(one, manifests.get(one.digest), kinds)),
      blobs: blobs.size,
      bytes,
      unknown: unknown.map(({ digest }) => digest),
    });
  }
  const inOrder = deliveries.toSorted((a, b) => (a.receipt.time < b.receipt.time ? -1 : 1));
  return { folder, bundles, deliveries: inOrder, sites, leftAside, damaged };
}

/**
 * A bundle at a site, called as it calls itself and its parts: what a receipt calls them is said by
 * the site alone. Of a bundle that is not known here, nobody else says it.
 */
function asListed(
  proven: ProvenBundle,
  known: BundleManifest | undefined,
  kinds: readonly Kind[],
): ProvenBundle {
  if (known === undefined) return proven;
  const parts = [...proven.parts.keys()].map((number): [number, string] => {
    const part = known.parts[number];
    return [number, part === undefined ? `no part of it (${number})` : labelOf(part, kinds)];
  });
  return { ...proven, name: known.name, parts: new Map(parts) };
}

/**
 * Whether a bundle that is whole at a site stands for another one: it is that one, or completes it
 * and has all of its images. Of a bundle with holes alone, no receipt says that it is whole.
 */
function brings(
  there: Digest,
  wanted: Digest,
  manifests: ReadonlyMap<Digest, BundleManifest>,
): boolean {
  if (there === wanted) return true;
  const completion = manifests.get(there);
  const required = (completion?.requires ?? []).map(({ bundle }) => bundle);
  if (completion === undefined || !required.includes(wanted)) return false;
  const images = new Set(completion.images.map(({ digest }) => digest));
  return manifests.get(wanted)?.images.every(({ digest }) => images.has(digest)) === true;
}

function factsOf(
  { name, parts, blobs }: BundleManifest,
  kinds: readonly Kind[],
): Pick<PackedBundle, 'name' | 'labels' | 'blobs' | 'bytes'> {
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  return { name, labels: parts.map((part) => labelOf(part, kinds)), blobs: blobs.length, bytes };
}
