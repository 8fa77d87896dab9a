import { join } from 'node:path';

import type { Context } from '../../core/context.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError, gravest } from '../../core/errors.ts';
import { listFolder } from '../../files/folder.ts';
import { isFolder } from '../../files/look.ts';
import { PARTIAL_SUFFIX } from '../../files/own-file.ts';
import { isReceiptFile } from '../../history/begins.ts';
import { believedReceipts } from '../../history/believed.ts';
import { History } from '../../history/history.ts';
import { checkSiteKey } from '../../history/site-keys.ts';
import { listedIn } from '../../opening/listed.ts';
import type { OpenRequest } from '../../opening/open-bundle.ts';
import { believedKeys } from '../../opening/signers.ts';
import { readReceipt } from '../../receipts/file.ts';
import { receiptDigest, targetName } from '../../receipts/receipt.ts';
import { type CheckedReceipt, checkReceipt } from '../../receipts/signed.ts';
import { standingsOf } from '../../receipts/standing.ts';
import type { SignerKey } from '../../trust/keys.ts';

export interface ImportRequest {
  readonly history: string;
  readonly paths: readonly string[];
  /** Who is believed about bundles, and about receipts. */
  readonly open: Omit<OpenRequest, 'paths'>;
  /** Lets a site sign with another key than before. */
  readonly acceptNewKey: boolean;
}

export interface ImportReport {
  readonly bundles: readonly {
    readonly path: string;
    readonly name: string;
    readonly digest: Digest;
  }[];
  readonly receipts: readonly {
    readonly path: string;
    readonly receipt: CheckedReceipt['receipt'];
    readonly isNew: boolean;
  }[];
}

/**
 * Reads bundles on media, and receipts, into the history. What is good is kept, whatever else fails.
 * @throws BundleError the gravest, where something was refused
 */
export async function importHistory(
  request: ImportRequest,
  context: Context,
): Promise<ImportReport> {
  const history = new History(request.history);
  const keys = await believedKeys(request.open.trustedKeyFiles, context);
  const bundles: ImportReport['bundles'][number][] = [];
  const receipts: ImportReport['receipts'][number][] = [];
  const failures: BundleError[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof BundleError)) throw error;
      failures.push(error);
    }
  };
  for (const path of request.paths) {
    await attempt(async () => {
      const found = await partedPaths(path);
      for (const receipt of found.receipts)
        await attempt(async () => {
          receipts.push(
            await importReceipt(
              receipt,
              { history, keys, acceptNewKey: request.acceptNewKey },
              context,
            ),
          );
        });
      if (found.bundle) bundles.push(await importBundle(path, history, request, context));
    });
  }
  if (failures.length > 0) throw refusal(failures, { bundles, receipts });
  return { bundles, receipts };
}

/** The gravest of some failures. What was imported all the same is said before what was refused. */
function refusal(failures: readonly BundleError[], report: ImportReport): BundleError {
  const worst = gravest(failures) as BundleError;
  const imported = [
    ...report.bundles.map(({ path, name }) => `${path}: the bundle ${name}`),
    ...report.receipts.map(({ path, receipt: { site, time }, isNew }) => {
      const known = isNew ? '' : ', which was known already';
      return `${path}: the receipt of ${site} from ${time}${known}`;
    }),
  ];
  // A disk that is full fails everything in the same words. The headline has the gravest already.
  const refused = new Set(failures.map(withComparison));
  refused.delete(withComparison(worst));
  if (imported.length === 0 && refused.size === 0) return worst;
  return worst.withDetails([
    ...(imported.length === 0 ? [] : [{ label: 'imported', items: imported }]),
    ...(refused.size === 0 ? [] : [{ label: 'refused, too', items: [...refused] }]),
  ]);
}

function withComparison({ message, expected, got }: BundleError): string {
  const facts = [
    ...(expected === undefined || message.includes(expected) ? [] : [`expected ${expected}`]),
    ...(got === undefined || message.includes(got) ? [] : [`got ${got}`]),
  ];
  return facts.length === 0 ? message : `${message} (${facts.join(', ')})`;
}

/**
 * A folder may hold a bundle, receipts, or both: a medium that comes back does.
 * @throws BundleError NOT_FOUND for a folder that holds neither
 */
async function partedPaths(
  path: string,
): Promise<{ readonly receipts: readonly string[]; readonly bundle: boolean }> {
  if (!(await isFolder(path))) {
    return (await isReceiptFile(path))
      ? { receipts: [path], bundle: false }
      : { receipts: [], bundle: true };
  }
  const names = await listFolder(path);
  const receipts = names
    .filter((name) => /^receipt-.*\.json$/.test(name))
    .map((name) => join(path, name));
  const hasBundle = names.some((name) => /\.tar\.zst(\.\d{3})?$/.test(name));
  // One that was not finished is told by whoever looks for a bundle.
  const hasUnfinished = names.some((name) => name.endsWith(PARTIAL_SUFFIX));
  if (receipts.length === 0 && !hasBundle && !hasUnfinished) throw holdsNeither(path);
  return { receipts, bundle: hasBundle || receipts.length === 0 };
}

function holdsNeither(folder: string): BundleError {
  const message = `there is no receipt (receipt-*.json) and no bundle in ${folder}`;
  return new BundleError('NOT_FOUND', message, {
    subject: folder,
    hint:
      'Name the folder that holds them. If a receipt has another name, name the file itself: ' +
      'bundle history import FILE.',
  });
}

interface ReceiptImport extends Pick<ImportRequest, 'acceptNewKey'> {
  readonly history: History;
  readonly keys: readonly SignerKey[];
}

async function importReceipt(
  path: string,
  { history, keys, acceptNewKey }: ReceiptImport,
  context: Context,
): Promise<ImportReport['receipts'][number]> {
  const checked = checkReceipt(await readReceipt(path), keys, path);
  const { receipt } = checked;
  return history.locked(context.signal, async () => {
    if (!acceptNewKey) checkSiteKey(await history.siteKeys(), checked, path);
    const known = await believedReceipts(history, keys, context.observe);
    const own = receiptDigest(receipt);
    // One that is there and does not count, since it was damaged, is new: it is written again.
    const isNew = known.every((one) => receiptDigest(one.receipt) !== own);
    await history.keepReceipt(checked);
    const all = [...known.map((one) => one.receipt), ...(isNew ? [receipt] : [])];
    const standing = standingsOf(all).find(
      ({ site, target }) =>
        site === receipt.site && targetName(target) === targetName(receipt.target),
    )!;
    const { newest, replaced } = standing;
    if (receiptDigest(newest) !== own) {
      const isReplaced = replaced.some((one) => receiptDigest(one) === own);
      const { site, time } = receipt;
      const facts = { receipt: path, site, time, newest: newest.time, isReplaced };
      context.observe({ type: 'noticed', code: 'receipt-older', ...facts });
    }
    for (const { name, digest } of receipt.bundles) {
      if ((await history.readable(digest)) !== undefined) continue;
      const facts = { site: receipt.site, name, bundle: digest };
      context.observe({ type: 'noticed', code: 'bundle-not-known', ...facts });
    }
    return { path, receipt, isNew };
  });
}

async function importBundle(
  path: string,
  history: History,
  { open }: ImportRequest,
  context: Context,
): Promise<ImportReport['bundles'][number]> {
  const { described, closure } = await listedIn([path], open, context);
  await history.keepBundle(described, closure);
  const { manifest, bundleDigest: digest } = described;
  return { path, name: manifest.name, digest };
}
