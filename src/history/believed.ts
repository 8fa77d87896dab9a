import { BundleError } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import { receiptFileName } from '../receipts/file.ts';
import type { Receipt } from '../receipts/receipt.ts';
import { type CheckedReceipt, checkReceipt } from '../receipts/signed.ts';
import type { SignerKey } from '../trust/keys.ts';
import type { History } from './history.ts';

/** The sites of which some receipt is here that is not believed, as its key is not trusted now. */
export type Untrusted = ReadonlySet<string>;

/** What to do where receipts were left aside; `undefined` where none was for its key. */
export function trustHint(untrusted: Untrusted): string | undefined {
  if (untrusted.size === 0) return undefined;
  const sites = [...untrusted].sort();
  const key = sites.length === 1 ? 'the key' : 'the keys';
  return `Add --trusted-key KEY.pub, with ${key} of ${sites.join(', ')}.`;
}

const NOT_READ_IN =
  'nobody has read it in here, or another receipt of its key for this site: bundle history import';

/**
 * The receipts of a history whose signatures are good by keys that are believed now, and which are
 * keys of the sites that they speak for: others may write into a shared folder, and trust may have
 * been withdrawn since a receipt was imported. The rest is left aside, and told once for each cause.
 * @param leftAside is called with each of the rest, and whether only its key is not trusted now.
 */
export async function believedReceipts(
  history: History,
  keys: readonly SignerKey[],
  observe: Observe,
  leftAside?: (receipt: Receipt, isUntrusted: boolean) => void,
): Promise<readonly CheckedReceipt[]> {
  const believed: CheckedReceipt[] = [];
  const aside = new Map<string, string[]>();
  const siteKeys = await history.siteKeys();
  for (const signed of await history.receipts(observe)) {
    const name = receiptFileName(signed.receipt);
    const leave = (cause: string, isUntrusted: boolean): void => {
      aside.set(cause, [...(aside.get(cause) ?? []), name]);
      leftAside?.(signed.receipt, isUntrusted);
    };
    try {
      const checked = checkReceipt(signed, keys, name);
      if (siteKeys.get(signed.receipt.site)?.has(signed.receipt.signer)) believed.push(checked);
      else leave(NOT_READ_IN, false);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      const isUntrusted = error.code === 'SIGNER_UNKNOWN';
      leave(
        isUntrusted
          ? `the key that ${signed.receipt.site} signs receipts with is not trusted in this run ` +
              '(--trusted-key KEY.pub)'
          : error.message.replace(`${name}: `, ''),
        isUntrusted,
      );
    }
  }
  for (const [cause, receipts] of aside)
    observe({ type: 'noticed', code: 'receipt-left-aside', receipts, cause });
  return believed;
}
