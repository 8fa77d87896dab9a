import { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { receiptFileName } from '../receipts/file.ts';
import type { Receipt } from '../receipts/receipt.ts';
import { type CheckedReceipt, checkReceipt } from '../receipts/signed.ts';
import type { SignerKey } from '../trust/keys.ts';
import type { History } from './history.ts';

/**
 * The receipts of a history whose signatures are good by keys that are believed now: others may
 * write into a shared folder, and trust may have been withdrawn since a receipt was imported. The
 * rest is told, and left aside.
 * @param leftAside is called with each of the rest.
 */
export async function believedReceipts(
  history: History,
  keys: readonly SignerKey[],
  observe: Observe,
  leftAside?: (receipt: Receipt) => void,
): Promise<readonly CheckedReceipt[]> {
  const believed: CheckedReceipt[] = [];
  for (const signed of await history.receipts(observe)) {
    const name = receiptFileName(signed.receipt);
    try {
      believed.push(checkReceipt(signed, keys, name));
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      const cause =
        error.code === 'SIGNER_UNKNOWN'
          ? `the key of ${signed.receipt.site} is not trusted in this run: name it with --trusted-key FILE`
          : error.message.replace(`${name}: `, '');
      observe({ type: 'noticed', code: 'receipt-left-aside', receipt: name, cause });
      leftAside?.(signed.receipt);
    }
  }
  return believed;
}
