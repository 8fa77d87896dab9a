import type { Context } from '../../core/context.ts';
import { type Digest, hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import type { DeliveryTarget } from '../../delivering/delivery-target.ts';
import { believedReceipts, trustHint } from '../../history/believed.ts';
import { formatKept, parseKept } from '../../history/entry.ts';
import { History } from '../../history/history.ts';
import { listedIn } from '../../opening/listed.ts';
import type { OpenRequest } from '../../opening/open-bundle.ts';
import type { PushedBundle } from '../../pruning/pushed.ts';
import type { Receipt, ReceiptTarget } from '../../receipts/receipt.ts';
import { receiptTarget } from '../../receipts/issue.ts';
import { type SiteStanding, standingsOf } from '../../receipts/standing.ts';
import type { SignerKey } from '../../trust/keys.ts';

export interface PushedRequest {
  readonly to: Extract<DeliveryTarget, { kind: 'registry' }>;
  /** Bundles on media. */
  readonly paths: readonly string[];
  readonly open: Omit<OpenRequest, 'paths'>;
  readonly history: string;
}

export interface FoundBundles {
  /** The oldest first. */
  readonly bundles: readonly PushedBundle[];
  /** Bundles that receipts name, and of which nothing is known here. */
  readonly receipts: readonly SiteStanding[];
}

/**
 * The bundles of which receipts of the target show that they were pushed there, and those that are
 * named on media.
 * @param keys whose receipts are believed.
 * @throws BundleError NOT_FOUND for a bundle that should be at the target, and of which nothing is
 * known here: what it shares with others could not be told; USAGE where there is nothing
 */
export async function pushedBundles(
  { to, paths, open, history: folder }: PushedRequest,
  keys: readonly SignerKey[],
  context: Context,
): Promise<FoundBundles> {
  const history = new History(folder);
  const target = receiptTarget(to.destinations);
  const untrusted = new Set<string>();
  const believed = await believedReceipts(history, keys, context.observe, (one, isUntrusted) => {
    if (isUntrusted && isAbout(one, target)) untrusted.add(one.site);
  });
  const about = believed.map(({ receipt }) => receipt).filter((one) => isAbout(one, target));
  const receipts = standingsOf(about);
  const arrived = new Map<Digest, Set<number> | undefined>();
  for (const { bundles } of about) {
    for (const { digest, whole, parts } of bundles) {
      const known = arrived.get(digest);
      if (whole || (arrived.has(digest) && known === undefined)) arrived.set(digest, undefined);
      else arrived.set(digest, new Set([...(known ?? []), ...parts.map(({ number }) => number)]));
    }
  }
  const named = new Map<Digest, PushedBundle>();
  for (const path of paths) {
    const { described, closure } = await listedIn([path], open, context);
    const { bundleDigest } = described;
    const kept = parseKept(formatKept(described, closure), bundleDigest, path);
    named.set(bundleDigest, { kept, parts: undefined });
  }
  const found: PushedBundle[] = [];
  for (const digest of await inOrder(arrived.keys(), history)) {
    if (named.has(digest)) continue;
    const kept = await history.bundle(digest);
    if (kept === undefined) refuseIfThere(digest, receipts);
    else found.push({ kept, parts: arrived.get(digest) });
  }
  const bundles = [...found, ...named.values()];
  if (bundles.length > 0) return { bundles, receipts };
  throw new BundleError('USAGE', `nothing shows what this program has pushed to ${to.name}`, {
    hint:
      trustHint(untrusted) ??
      'Name the bundles by their files, or make a receipt first: bundle receipt make --to ' +
        `${to.name} -o DIR.`,
  });
}

/** In the order in which the history has learnt of them; others first. */
async function inOrder(digests: Iterable<Digest>, history: History): Promise<readonly Digest[]> {
  const known = (await history.bundles()).map(({ digest }) => digest);
  return [...digests].sort((a, b) => known.indexOf(a) - known.indexOf(b));
}

/** Other repositories of the same registry are another target. */
function isAbout({ target: of }: Receipt, target: ReceiptTarget): boolean {
  return JSON.stringify(of) === JSON.stringify(target);
}

function refuseIfThere(digest: Digest, receipts: readonly SiteStanding[]): void {
  const named = receipts.flatMap(({ bundles }) => bundles).find((one) => one.digest === digest);
  if (named === undefined) return; // an earlier receipt named it, and a later one does not
  throw new BundleError(
    'NOT_FOUND',
    `${named.name} is at the target, as a receipt says, and nothing is known of it here`,
    {
      got: hexOf(digest),
      hint:
        'Nothing was removed: what it shares with other bundles cannot be told. Name its file, or ' +
        'read it in: bundle history import PATH.',
    },
  );
}
