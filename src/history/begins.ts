import { readSmallFile } from '../files/small-file.ts';
import { hasCode } from '../core/errors.ts';
import { MAX_RECEIPT_BYTES } from '../core/limits.ts';
import { looksLikeReceipt } from '../receipts/signed.ts';

/**
 * Whether a file is a receipt by its first bytes. What cannot be read is none: whoever reads it as
 * something else says why.
 */
export async function isReceiptFile(path: string): Promise<boolean> {
  try {
    return looksLikeReceipt(await readSmallFile(path, MAX_RECEIPT_BYTES));
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND') || hasCode(error, 'CONFIGURATION')) return false;
    throw error;
  }
}
