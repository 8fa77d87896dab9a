import { join } from 'node:path';

import { BundleError, hasCode } from '../core/errors.ts';
import { MAX_RECEIPT_BYTES } from '../core/limits.ts';
import { listFolder, prepareFolder } from '../files/folder.ts';
import { ifThere } from '../files/look.ts';
import { readGivenFile, readSmallFile, withoutMark } from '../files/small-file.ts';
import { writeOnce } from '../files/write-once.ts';
import type { Receipt } from './receipt.ts';
import { formatSigned, parseSigned, type SignedReceipt } from './signed.ts';

/** `receipt-<site>-<time>.json`; FAT takes no colons. */
export function receiptFileName({ site, time }: Receipt): string {
  return `receipt-${site}-${time}`.replaceAll(':', '') + SUFFIX;
}

const SUFFIX = '.json';

/** @throws BundleError DISK where nothing could be written in the end. */
export async function prepareReceiptFolder(folder: string): Promise<void> {
  await prepareFolder(folder);
}

/**
 * Writes a receipt into a folder, whole or not at all, and never over anything.
 * @returns the path.
 * @throws BundleError USAGE, DISK
 */
export async function writeReceipt(folder: string, signed: SignedReceipt): Promise<string> {
  const path = join(folder, receiptFileName(signed.receipt));
  await writeOnce(path, formatSigned(signed));
  return path;
}

/** Reads a receipt that somebody has named. @throws BundleError NOT_FOUND, UNSUPPORTED_CONTENT */
export async function readReceipt(path: string): Promise<SignedReceipt> {
  return parseSigned(await receiptContent(path, 'receipt'), path);
}

/**
 * Reads what somebody has named as a receipt, or as what is on its paper. A byte order mark is left
 * out.
 * @param limit of bytes.
 * @throws BundleError NOT_FOUND, DISK; UNSUPPORTED_CONTENT for what is larger than any of them.
 */
export async function receiptContent(
  path: string,
  what: string,
  limit = MAX_RECEIPT_BYTES,
): Promise<Uint8Array> {
  try {
    return await readGivenFile(path, limit);
  } catch (error) {
    if (!hasCode(error, 'CONFIGURATION')) throw error;
    throw new BundleError('UNSUPPORTED_CONTENT', `${path} is no ${what}`, {
      expected: `${limit} bytes at most`,
      got: 'more',
      subject: path,
      hint: 'Check the path: a file of this kind is never that large.',
    });
  }
}

/** All receipts of a folder; what cannot be read or is none is passed over: others write there. */
export async function receiptsIn(folder: string): Promise<readonly SignedReceipt[]> {
  const names = (await ifThere(listFolder(folder))) ?? [];
  const found: SignedReceipt[] = [];
  for (const name of names) {
    if (!name.startsWith('receipt-') || !name.endsWith(SUFFIX)) continue;
    try {
      const path = join(folder, name);
      found.push(parseSigned(withoutMark(await readSmallFile(path, MAX_RECEIPT_BYTES)), path));
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
    }
  }
  return found;
}
