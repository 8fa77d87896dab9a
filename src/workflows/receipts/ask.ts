import { parseKept, formatKept, type KeptBundle } from '../../history/entry.ts';
import type { Context } from '../../core/context.ts';
import { type Digest, hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { compareImages, type Difference } from '../../delivering/compare.ts';
import type { DeliveryTarget } from '../../delivering/delivery-target.ts';
import { imagesOf, type KeptImage } from '../../history/blobs.ts';
import { History, keepIfPossible } from '../../history/history.ts';
import { publishReceipt, type WrittenReceipt } from '../../history/publish.ts';
import { siteOfReceipt } from '../../history/site.ts';
import { forEachRepository } from '../../kinds/destinations.ts';
import type { Kind } from '../../kinds/kind.ts';
import { Network, type NetworkOptions } from '../../network/network.ts';
import { labelOf } from '../../opening/derive.ts';
import { listedIn } from '../../opening/listed.ts';
import type { OpenRequest } from '../../opening/open-bundle.ts';
import { firstKey, type KeySource, loadSigningKey } from '../../packing/signing-key.ts';
import { prepareReceiptFolder } from '../../receipts/file.ts';
import { receiptTarget } from '../../receipts/issue.ts';
import { MemoryStore } from '../../stores/memory.ts';
import type { PlannedImage } from '../../transfer/image.ts';
import type { ReceiptBundle, ReceiptPart } from '../../receipts/receipt.ts';

/** As many tries as somebody wants to wait for, who asks for thousands of blobs. */
const ATTEMPTS = 4;

export interface AskRequest {
  readonly to: DeliveryTarget;
  readonly network: NetworkOptions;
  /** Bundles on media, each in one place; and bundles that the history knows. */
  readonly paths: readonly string[];
  readonly digests: readonly Digest[];
  readonly open: Omit<OpenRequest, 'paths'>;
  readonly kinds: readonly Kind[];
  /** Where the history is, and whether the receipt and the lists of the bundles are kept there. */
  readonly history: string;
  readonly keeps: boolean;
  readonly folder: string;
  readonly key: KeySource;
  readonly site?: string | undefined;
  readonly isNewSite: boolean;
  /** Reads and hashes every blob. */
  readonly deep: boolean;
  /** Whether the receipt is written for paper, too. */
  readonly paper: boolean;
  readonly isAfresh: boolean;
}

/** What a registry has of a bundle. */
export interface AskedBundle {
  readonly name: string;
  readonly digest: Digest;
  /** Parts that are whole there, of how many. */
  readonly parts: readonly ReceiptPart[];
  readonly of: number;
  readonly lacking: readonly Difference[];
}

export interface AskReport {
  readonly target: string;
  readonly bundles: readonly AskedBundle[];
  readonly receipt: WrittenReceipt;
}

/**
 * Asks a registry for every blob and manifest of bundles whose lists are at hand, and writes a
 * receipt of the parts that it has whole.
 * @throws BundleError USAGE; NOT_FOUND where nothing is whole there, or a bundle is not known; and of
 * the network
 */
export async function askForReceipt(request: AskRequest, context: Context): Promise<AskReport> {
  const { to, folder, history, keeps, isAfresh, deep } = request;
  if (to.kind !== 'registry') {
    throw new BundleError('USAGE', 'a receipt is about a registry: an image layout is no site', {
      hint: 'Give --to REGISTRY[/NAMESPACE].',
    });
  }
  const target = receiptTarget(to.destinations);
  const loaded = await loadSigningKey(request.key, context.configFolder);
  const site = await siteOfReceipt({
    ...request,
    history: keeps ? history : undefined,
    key: loaded,
    target,
  });
  const listings = await listingsOf(request, context);
  await prepareReceiptFolder(folder);
  const network = await Network.open({ ...request.network, attempts: ATTEMPTS }, context);
  const bundles: AskedBundle[] = [];
  try {
    const written = forEachRepository(to.destinations, (name) => network.written(name));
    for (const kept of listings) {
      const images = imagesOf(kept).map(asPlanned);
      const options = { ...context, deep };
      const { differences } = await compareImages(images, ({ place }) => written(place), options);
      bundles.push(askedBundle(kept, differences, request.kinds));
    }
  } finally {
    await network.close();
  }
  const rows = bundles.flatMap(({ name, digest, parts, of }): ReceiptBundle[] => {
    const known = deep ? 'read' : 'asked';
    return parts.length === 0 ? [] : [{ name, digest, whole: parts.length === of, known, parts }];
  });
  if (rows.length === 0 && !isAfresh) throw nothingWhole(to.name, bundles);
  const key = loaded ?? (await firstKey(request.key, false, context)).key;
  const gone = bundles.filter(({ parts, of }) => parts.length < of).map(({ digest }) => digest);
  const receipt = await publishReceipt(
    { site, target, bundles: rows, isAfresh, gone },
    { folder, key, history: keeps ? history : undefined, paper: request.paper },
    context,
  );
  return { target: to.name, bundles, receipt };
}

/** Only what is needed to look for it: nothing is fetched from anywhere, and no tag is asked for. */
function asPlanned(image: KeptImage): PlannedImage {
  return { ...image, tags: [], proof: 'signer', order: 'first', store: NOWHERE };
}

const NOWHERE = new MemoryStore('the history');

function askedBundle(
  { digest, manifest }: KeptBundle,
  lacking: readonly Difference[],
  kinds: readonly Kind[],
): AskedBundle {
  const broken = new Set(lacking.flatMap(({ images }) => images.flatMap(({ parts }) => parts)));
  const parts = manifest.parts.flatMap((part, number): ReceiptPart[] =>
    broken.has(number) ? [] : [{ number, label: labelOf(part, kinds) }],
  );
  return { name: manifest.name, digest, parts, of: manifest.parts.length, lacking };
}

/** @throws BundleError USAGE where there is nothing to ask for, NOT_FOUND */
async function listingsOf(
  { paths, digests, open, keeps, history: folder }: AskRequest,
  context: Context,
): Promise<readonly KeptBundle[]> {
  const history = new History(folder);
  const found = new Map<Digest, KeptBundle>();
  for (const path of paths) {
    const { described, closure } = await listedIn([path], open, context);
    const { bundleDigest } = described;
    // So that the registry can be asked for it later, when its medium is gone.
    if (keeps)
      await keepIfPossible(history, described.manifest.name, context.observe, () =>
        history.keepBundle(described, closure),
      );
    found.set(bundleDigest, parseKept(formatKept(described, closure), bundleDigest, path));
  }
  const isAll = paths.length === 0 && digests.length === 0;
  const wanted = isAll ? (await history.bundles()).map(({ digest }) => digest) : digests;
  for (const digest of wanted) {
    const kept = await history.bundle(digest);
    if (kept === undefined) {
      throw new BundleError('NOT_FOUND', `the bundle ${hexOf(digest)} is not known here`, {
        hint: 'Name its file instead, or read it in: bundle history import PATH.',
      });
    }
    found.set(digest, kept);
  }
  if (found.size > 0) return [...found.values()];
  throw new BundleError('USAGE', 'there is no bundle to ask for', {
    hint: `Name bundles by their files, or read them into the history ${folder} first.`,
  });
}

function nothingWhole(target: string, bundles: readonly AskedBundle[]): BundleError {
  const items = bundles.map(({ name, lacking }) => `${name}: it lacks ${lacking.length} blobs`);
  return new BundleError('NOT_FOUND', `no part of these bundles is whole at ${target}`, {
    details: [{ label: 'bundles', items }],
    hint:
      'No receipt was written. Unpack the bundle, or check --to and the options for repositories. ' +
      'With --afresh, a receipt is written that names no bundle.',
  });
}
