import { hasCode } from '../core/errors.ts';
import { readBeginning } from '../files/small-file.ts';
import { FIRST_BYTES, looksLikeReceipt } from '../receipts/signed.ts';

/**
 * Whether a file is a receipt by its first bytes, however large it is. What cannot be found is none:
 * whoever reads it as something else says why.
 */
export async function isReceiptFile(path: string): Promise<boolean> {
  try {
    const beginning = await readBeginning(path, FIRST_BYTES);
    return beginning !== undefined && looksLikeReceipt(beginning);
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return false;
    throw error;
  }
}
