import { hasCode } from '../core/errors.ts';
import { readBeginning } from '../files/small-file.ts';
import { FIRST_BYTES, looksLikeReceipt } from '../receipts/signed.ts';

/** Blanks that an editor may have put before a receipt; whoever reads it as one refuses them. */
const MOST_BLANKS = 64;
const BLANKS: readonly number[] = [...Buffer.from(' \t\r\n')];

/**
 * Whether a file is meant as a receipt by its first bytes, however large it is. What cannot be found
 * is none: whoever reads it as something else says why.
 */
export async function isReceiptFile(path: string): Promise<boolean> {
  try {
    const beginning = await readBeginning(path, MOST_BLANKS + FIRST_BYTES);
    if (beginning === undefined) return false;
    const at = beginning.findIndex((byte) => !BLANKS.includes(byte));
    return looksLikeReceipt(beginning.subarray(Math.max(at, 0)));
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return false;
    throw error;
  }
}
