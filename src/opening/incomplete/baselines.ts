import type { Context } from '../../core/context.ts';
import { type Digest, digestFromHex, hexOf } from '../../core/digest.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { isFolder, isThere } from '../../files/look.ts';
import { type Baseline, type Delivered, deliveredBy } from '../../history/baselines.ts';
import { isReceiptFile } from '../../history/begins.ts';
import { believedReceipts } from '../../history/believed.ts';
import { formatKept, type KeptBundle, parseKept } from '../../history/entry.ts';
import { deliveredToAll, type KnownOfSites, requireAnyReceipt } from '../../history/for-sites.ts';
import { History } from '../../history/history.ts';
import { checkSiteKey, type SiteKeys } from '../../history/site-keys.ts';
import { listedIn } from '../listed.ts';
import type { OpenRequest } from '../open-bundle.ts';
import { believedKeys } from '../signers.ts';
import { readReceipt } from '../../receipts/file.ts';
import type { Receipt } from '../../receipts/receipt.ts';
import { checkReceipt } from '../../receipts/signed.ts';

/** What a pack may leave out, as the command line names it. */
export interface BaselineRequest {
  /** Receipts, paths of bundles, and bundle digests. */
  readonly baselines: readonly string[];
  /** Sites, for all of their receipts in the history. */
  readonly sinceLast: readonly string[];
  /** Sites that the bundle is for: what each of them has by its receipts in the history. */
  readonly sites: readonly string[];
  /** Paths of bundles, and bundle digests, that are taken for delivered. */
  readonly assumed: readonly string[];
  /** Who is believed about receipts and bundles. */
  readonly open: Omit<OpenRequest, 'paths'>;
  /** The folder of the history; nothing of it is used where there is none. */
  readonly history: string | undefined;
}

const DIGEST = /^(?:sha256:)?([0-9a-f]{64})$/;

/**
 * Finds out what the site of a bundle has already, or each of its sites: receipts are checked,
 * bundles opened and checked like any other.
 * @throws BundleError NOT_PROVEN, NOT_FOUND, SIGNER_UNKNOWN, SIGNATURE_INVALID; as opening does
 */
export async function readBaselines(
  request: BaselineRequest,
  context: Context,
): Promise<Delivered> {
  const { baselines, kept, known } = await readKnown(request, context);
  const { observe } = context;
  if (request.sites.length === 0) return deliveredBy(baselines, kept, known, observe);
  requireAnyReceipt(request.sites, known);
  return deliveredToAll(request.sites, kept, known, observe);
}

/** What one of several sites has. */
export interface SiteDelivered {
  readonly site: string;
  readonly delivered: Delivered;
}

/** Finds out what each of several sites has already, for a bundle of its own. */
export async function readBaselinesOfEach(
  request: BaselineRequest,
  context: Context,
): Promise<readonly SiteDelivered[]> {
  const { kept, known } = await readKnown(request, context);
  requireAnyReceipt(request.sites, known);
  const all: SiteDelivered[] = [];
  for (const site of request.sites) {
    const delivered = await deliveredToAll([site], kept, known, context.observe);
    all.push({ site, delivered });
  }
  return all;
}

interface ReadKnown {
  readonly baselines: readonly Baseline[];
  /** What is assumed to be delivered. */
  readonly kept: readonly KeptBundle[];
  readonly known: KnownOfSites;
}

async function readKnown(
  { baselines: named, sinceLast, sites, assumed, open, history: folder }: BaselineRequest,
  context: Context,
): Promise<ReadKnown> {
  const { observe } = context;
  const keys = await believedKeys(open.trustedKeyFiles, context);
  const history = folder === undefined ? undefined : new History(folder);
  let siteKeys: SiteKeys | undefined;
  const read = new Map<Digest, KeptBundle>();
  const bundle = async (digest: Digest): Promise<KeptBundle | undefined> =>
    read.get(digest) ?? history?.bundle(digest);
  const bundleAt = async (path: string): Promise<KeptBundle> => {
    const { described, closure } = await listedIn([path], open, context);
    const { bundleDigest: digest } = described;
    const kept = parseKept(formatKept(described, closure), digest, path);
    read.set(digest, kept);
    return kept;
  };
  const receipts: Receipt[] = [];
  const baselines: Baseline[] = [];
  for (const what of named) {
    const digest = await digestNamed(what);
    if (digest !== undefined) baselines.push({ kind: 'bundle', what: hexOf(digest), digest });
    else if (!(await isFolder(what)) && (await isReceiptFile(what))) {
      const checked = checkReceipt(await readReceipt(what), keys, what);
      siteKeys ??= await history?.siteKeys();
      if (siteKeys !== undefined) checkSiteKey(siteKeys, checked, what);
      const { receipt } = checked;
      receipts.push(receipt);
      baselines.push({ kind: 'receipt', what, receipt });
    } else baselines.push({ kind: 'bundle', what, digest: (await bundleAt(what)).digest });
  }
  for (const site of sinceLast) baselines.push({ kind: 'site', site });
  const kept: KeptBundle[] = [];
  for (const what of assumed) kept.push(await assumedBundle(what, bundle, bundleAt));
  const unbelieved = new Set<string>();
  const untrusted = new Set<string>();
  if (history !== undefined && baselines.length + sites.length > 0) {
    const leftAside = ({ site }: Receipt, isUntrusted: boolean): void => {
      unbelieved.add(site);
      if (isUntrusted) untrusted.add(site);
    };
    const believed = await believedReceipts(history, keys, observe, leftAside);
    receipts.push(...believed.map(({ receipt }) => receipt));
  }
  return { baselines, kept, known: { receipts, listings: { bundle }, unbelieved, untrusted } };
}

async function assumedBundle(
  what: string,
  bundle: (digest: Digest) => Promise<KeptBundle | undefined>,
  bundleAt: (path: string) => Promise<KeptBundle>,
): Promise<KeptBundle> {
  const digest = await digestNamed(what);
  if (digest === undefined) return bundleAt(what);
  const known = await bundle(digest);
  if (known !== undefined) return known;
  throw new BundleError('NOT_FOUND', `nothing is known here of the bundle ${hexOf(digest)}`, {
    got: hexOf(digest),
    hint: 'Name its file, or read it in first: bundle history import PATH.',
  });
}

/** A digest, unless a file is called so. */
async function digestNamed(what: string): Promise<Digest | undefined> {
  const [, hex] = DIGEST.exec(what) ?? [];
  if (hex === undefined) return undefined;
  try {
    if (await isThere(what)) return undefined;
  } catch (error) {
    if (!hasCode(error, 'DISK')) throw error;
  }
  return digestFromHex(hex);
}
