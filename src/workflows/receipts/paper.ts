import type { Context } from '../../core/context.ts';
import { BundleError, hasCode } from '../../core/errors.ts';
import { believedKeys } from '../../opening/signers.ts';
import { prepareReceiptFolder, writeReceipt } from '../../receipts/file.ts';
import { joinCodes, looksLikeCode } from '../../receipts/paper/codes.ts';
import { fromCompact } from '../../receipts/paper/compact.ts';
import { TypedLines } from '../../receipts/paper/lines.ts';
import { codesIn } from '../../receipts/paper/pictures.ts';
import { checkReceipt } from '../../receipts/signed.ts';
import type { ShownReceipt } from './look.ts';

/** Where receipts from paper go, and who is believed. */
export interface PaperRequest {
  readonly folder: string;
  readonly trustedKeyFiles: readonly string[];
}

/**
 * Reads the QR codes in pictures, and writes the receipts that they make up as files.
 * @throws BundleError NOT_FOUND telling which codes are missing; UNSUPPORTED_CONTENT,
 * SIGNATURE_INVALID, DISK
 */
export async function scanReceipts(
  pictures: readonly string[],
  request: PaperRequest,
  context: Context,
): Promise<readonly ShownReceipt[]> {
  const texts: string[] = [];
  for (const [done, picture] of pictures.entries()) {
    const facts = { what: 'pictures', done, total: pictures.length };
    context.observe({ type: 'counted', ...facts });
    texts.push(...(await codesIn(picture)));
  }
  return filed(joinCodes(texts), request, context);
}

/**
 * Reads lines that somebody has typed, or the texts of the QR codes as another program has read them.
 * @throws BundleError CONTENT_MISMATCH naming each wrong line; NOT_FOUND for lines that are missing
 */
export async function enterReceipt(
  text: string,
  request: PaperRequest,
  context: Context,
): Promise<readonly ShownReceipt[]> {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const codes = lines.filter(looksLikeCode);
  if (codes.length > 0) return filed(joinCodes(codes), request, context);
  const typed = new TypedLines();
  const wrong: BundleError[] = [];
  for (const line of lines) {
    try {
      typed.add(line);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      wrong.push(error);
    }
  }
  const [first] = wrong;
  if (first === undefined) return filed([typed.compact()], request, context);
  const items = wrong.map(({ message, got }) => `${message}: ${got ?? ''}`);
  throw wrong.length === 1 ? first : first.withDetails([{ label: 'lines', items }]);
}

/** Asks for one line after the other, until the receipt is complete. */
export async function askForLines(
  ask: (prompt: string) => Promise<string>,
  tell: (error: BundleError) => void,
  request: PaperRequest,
  context: Context,
): Promise<readonly ShownReceipt[]> {
  const typed = new TypedLines();
  for (let next = typed.next; next !== undefined; next = typed.next) {
    const line = await ask(`line ${String(next).padStart(2, '0')}: `);
    try {
      // Nobody has to type the number that stands in the prompt.
      typed.add(/^\s*\d\d\s/.test(line) ? line : `${String(next).padStart(2, '0')} ${line}`);
    } catch (error) {
      if (!hasCode(error, 'CONTENT_MISMATCH')) throw error;
      tell(error);
    }
  }
  return filed([typed.compact()], request, context);
}

async function filed(
  compacts: readonly Uint8Array[],
  { folder, trustedKeyFiles }: PaperRequest,
  context: Context,
): Promise<readonly ShownReceipt[]> {
  const keys = await believedKeys(trustedKeyFiles, context);
  const signed = compacts.map(fromCompact).map((one) => {
    try {
      return checkReceipt(one, keys, 'the paper');
    } catch (error) {
      if (!hasCode(error, 'SIGNER_UNKNOWN')) throw error;
      return { ...one, signer: undefined };
    }
  });
  await prepareReceiptFolder(folder);
  const shown: ShownReceipt[] = [];
  for (const one of signed) shown.push({ ...one, path: await writeReceipt(folder, one) });
  return shown;
}
