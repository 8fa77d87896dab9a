import { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { receiptFileName } from '../receipts/file.ts';
import type { Receipt } from '../receipts/receipt.ts';
import { type CheckedReceipt, checkReceipt } from '../receipts/signed.ts';
import type { SignerKey } from '../trust/keys.ts';
import type { History } from './history.ts';

const NOT_READ_IN =
  'nobody has read it in here, or another receipt of its key for this site: bundle history import';

/**
 * The receipts of a history whose signatures are good by keys that are believed now, and which are
 * keys of the sites that they speak for: others may write into a shared folder, and trust may have
 * been withdrawn since a receipt was imported. The rest is left aside, and told once for each cause.
 * @param leftAside is called with each of the rest.
 */
export async function believedReceipts(
  history: History,
  keys: readonly SignerKey[],
  observe: Observe,
  leftAside?: (receipt: Receipt) => void,
): Promise<readonly CheckedReceipt[]> {
  const believed: CheckedReceipt[] = [];
  const aside = new Map<string, string[]>();
  const siteKeys = await history.siteKeys();
  for (const signed of await history.receipts(observe)) {
    const name = receiptFileName(signed.receipt);
    const leave = (cause: string): void => {
      aside.set(cause, [...(aside.get(cause) ?? []), name]);
      leftAside?.(signed.receipt);
    };
    try {
      const checked = checkReceipt(signed, keys, name);
      if (siteKeys.get(signed.receipt.site)?.has(signed.receipt.signer)) believed.push(checked);
      else leave(NOT_READ_IN);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      leave(
        error.code === 'SIGNER_UNKNOWN'
          ? `the key that ${signed.receipt.site} signs receipts with is not trusted in this run: ` +
              'name it with --trusted-key FILE'
          : error.message.replace(`${name}: `, ''),
      );
    }
  }
  for (const [cause, receipts] of aside)
    observe({ type: 'noticed', code: 'receipt-left-aside', receipts, cause });
  return believed;
}
