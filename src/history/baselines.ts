import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { nearest } from '../core/text.ts';
import { type Receipt, receiptDigest, targetName } from '../receipts/receipt.ts';
import { type ProvenBundle, type SiteStanding, standingsOf } from '../receipts/standing.ts';
import { blobsOf, type Holder } from './blobs.ts';
import { trustHint, type Untrusted } from './believed.ts';
import type { KeptBundle } from './entry.ts';
import { type AtTarget, type ProvenEverywhere, provenEverywhere } from './everywhere.ts';
import type { Listings } from './proven.ts';

/** What a pack may start from, as it was named. */
export type Baseline =
  | { readonly kind: 'receipt'; readonly what: string; readonly receipt: Receipt }
  | { readonly kind: 'bundle'; readonly what: string; readonly digest: Digest }
  | { readonly kind: 'site'; readonly site: string };

/** A blob that may be left out. */
export interface KnownBlob {
  /** The bundles that have it: of each site one that has brought it there. */
  readonly holders: readonly Holder[];
  /** No receipt says that it has arrived. */
  readonly isAssumed: boolean;
}

/** What is at a site, as far as a pack may count on it. */
export interface Delivered {
  /** The sites whose receipts prove it, as people call them; none where all is assumed. */
  readonly sites: readonly string[];
  /** In the order in which the baselines have them. */
  readonly blobs: ReadonlyMap<Digest, KnownBlob>;
}

/** What is known of deliveries. */
export interface Known {
  /** Receipts whose signatures have been checked: those that are named, and those of the history. */
  readonly receipts: readonly Receipt[];
  /** Sites with receipts in the history whose keys are not trusted now. */
  readonly untrusted: Untrusted;
  readonly listings: Listings;
}

/**
 * What baselines prove to be at a site, all of them together, and what is assumed to be there. They
 * all have to be about one target: what one site has proves nothing about another.
 * @param assumed listings of bundles that are taken for delivered.
 * @throws BundleError NOT_PROVEN; USAGE for a site with several targets
 */
export async function deliveredBy(
  baselines: readonly Baseline[],
  assumed: readonly KeptBundle[],
  { receipts, untrusted, listings }: Known,
  observe: Observe,
): Promise<Delivered> {
  const standings = standingsOf(distinct(receipts));
  const common = commonTargets(baselines, standings, untrusted);
  const proven = await provenEverywhere(common, listings, observe);
  if (baselines.length > 0 && proven.blobs.size === 0) throw nothingProven(proven.unknown);
  return { sites: common.map(siteName), blobs: withAssumed(proven, assumed) };
}

/** What is proven first: what is assumed stands for nothing that is. */
export function withAssumed(
  proven: Pick<ProvenEverywhere, 'blobs'>,
  assumed: readonly KeptBundle[],
): ReadonlyMap<Digest, KnownBlob> {
  const blobs = new Map<Digest, KnownBlob>();
  for (const [digest, holders] of proven.blobs) blobs.set(digest, { holders, isAssumed: false });
  for (const kept of assumed) {
    for (const [digest, { holders }] of blobsOf(kept))
      if (!blobs.has(digest)) blobs.set(digest, { holders, isAssumed: true });
  }
  return blobs;
}

/** The targets that all baselines are about, each with the bundles that they prove to be there. */
function commonTargets(
  baselines: readonly Baseline[],
  standings: readonly SiteStanding[],
  untrusted: Untrusted,
): readonly AtTarget[] {
  const said = baselines.map((baseline) => ({
    baseline,
    at: targetsOf(baseline, standings, untrusted),
  }));
  const [first] = said;
  if (first === undefined) return [];
  const common = [...first.at.keys()].filter((key) => said.every(({ at }) => at.has(key)));
  if (common.length === 0) {
    const items = said.map(({ baseline, at }) => `${wordOf(baseline)}: ${listOf([...at.keys()])}`);
    throw new BundleError('NOT_PROVEN', 'the baselines are of different sites', {
      details: [{ label: 'baselines', items }],
      hint:
        'What one site has proves nothing about another. To pack one bundle for several sites, ' +
        'name each with --site.',
    });
  }
  return common.map((key) => {
    const all = said.map(({ at }) => at.get(key)!);
    return { ...all[0]!, bundles: united(all.flatMap(({ bundles }) => bundles)) };
  });
}

/** By the name of the site with its target. */
function targetsOf(
  baseline: Baseline,
  standings: readonly SiteStanding[],
  untrusted: Untrusted,
): ReadonlyMap<string, AtTarget> {
  switch (baseline.kind) {
    case 'receipt': {
      const { what, receipt } = baseline;
      const own = receiptDigest(receipt);
      const standing = standings.find((one) => siteName(one) === siteName(receipt))!;
      if (standing.replaced.some((one) => receiptDigest(one) === own))
        throw replaced(what, receipt, standing.newest);
      const [alone] = standingsOf([receipt]);
      return new Map([[siteName(receipt), alone!]]);
    }
    case 'site': {
      const own = standings.filter(({ site }) => site === baseline.site);
      if (own.length === 0) throw noReceiptOf([baseline.site], standings, untrusted);
      if (own.length > 1) throw severalTargets(baseline.site, own);
      return new Map(own.map((standing) => [siteName(standing), standing]));
    }
    case 'bundle': {
      const { digest, what } = baseline;
      const found = standings.flatMap((standing) => {
        const bundles = standing.bundles.filter((one) => one.digest === digest);
        return bundles.length === 0
          ? []
          : [[siteName(standing), { ...standing, bundles }] as const];
      });
      if (found.length === 0) throw notDelivered(what, digest, untrusted);
      return new Map(found);
    }
  }
}

/** One bundle may be named by several baselines, each of which proves some of its parts. */
function united(bundles: readonly ProvenBundle[]): readonly ProvenBundle[] {
  const all = new Map<Digest, ProvenBundle>();
  for (const bundle of bundles) {
    const known = all.get(bundle.digest) ?? bundle;
    all.set(bundle.digest, {
      ...known,
      whole: known.whole || bundle.whole,
      parts: new Map([...known.parts, ...bundle.parts]),
      receipts: [...new Set([...known.receipts, ...bundle.receipts])],
    });
  }
  return [...all.values()];
}

export function distinct(receipts: readonly Receipt[]): readonly Receipt[] {
  return [...new Map(receipts.map((receipt) => [receiptDigest(receipt), receipt])).values()];
}

/** A site with its target, as people call it. */
export function siteName({ site, target }: Pick<SiteStanding, 'site' | 'target'>): string {
  return `${site} (${targetName(target)})`;
}

function wordOf(baseline: Baseline): string {
  return baseline.kind === 'site' ? `--since-last ${baseline.site}` : baseline.what;
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

function replaced(what: string, { time, site }: Receipt, newest: Receipt): BundleError {
  return new BundleError(
    'NOT_PROVEN',
    `${what} is of ${time}, and ${site} has said since that it does not hold any more`,
    {
      expected: `a receipt of ${newest.time} or later`,
      got: time,
      subject: what,
      hint:
        'A later receipt replaces all before it: something was pruned or lost there. Name that ' +
        `one, or write --since-last ${site}.`,
    },
  );
}

/** Nothing is believed of any of these sites. */
export function noReceiptOf(
  sites: readonly string[],
  standings: readonly SiteStanding[],
  untrusted: Untrusted,
): BundleError {
  const known = [...new Set([...standings.map(({ site }) => site), ...untrusted])].sort();
  const its = new Set(sites.filter((site) => untrusted.has(site)));
  const meant = sites.flatMap((site) => (known.includes(site) ? [] : (nearest(site, known) ?? [])));
  return new BundleError('NOT_PROVEN', `no receipt of ${sites.join(' or ')} counts here`, {
    expected: sites.join(', '),
    got: its.size > 0 ? 'receipts whose key is not trusted in this run' : listOf(known),
    hint:
      trustHint(its) ??
      (meant.length > 0 ? `Did you mean ${meant.join(' and ')}? Else read` : 'Read') +
        ' its receipts in: bundle history import RECEIPT --trusted-key KEY.pub. To pack everything, ' +
        'name no site.',
  });
}

function severalTargets(site: string, own: readonly SiteStanding[]): BundleError {
  return new BundleError('USAGE', `${site} has receipts of ${own.length} targets`, {
    details: [{ label: 'targets', items: own.map(({ target }) => targetName(target)) }],
    hint: 'Each of them has something else: name a receipt of the one that is meant, with --baseline.',
  });
}

function notDelivered(what: string, digest: Digest, untrusted: Untrusted): BundleError {
  return new BundleError('NOT_PROVEN', `${what}: no receipt here says that it has arrived`, {
    got: hexOf(digest),
    subject: what,
    hint:
      trustHint(untrusted) ??
      'Get a receipt from the site, and read it in: bundle history import RECEIPT --trusted-key ' +
        'KEY.pub. To count on the bundle all the same, write --assume-delivered in place of --baseline.',
  });
}

function nothingProven(unknown: readonly ProvenBundle[]): BundleError {
  const items = unknown.map(({ name, digest }) => `${name} (${hexOf(digest)})`);
  return new BundleError('NOT_PROVEN', 'the baselines prove nothing that could be left out', {
    details: items.length === 0 ? [] : [{ label: 'not known here', items }],
    hint:
      items.length === 0
        ? 'Name a receipt of a delivery, or leave the baselines out to pack everything.'
        : 'Nothing is known here of the bundles that they name: read them in from their media, ' +
          'with bundle history import PATH.',
  });
}
