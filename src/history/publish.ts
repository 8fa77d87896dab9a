import type { Context } from '../core/context.ts';
import { hasCode } from '../core/errors.ts';
import { receiptsIn, writeReceipt } from '../receipts/file.ts';
import { type Issue, issueReceipt } from '../receipts/issue.ts';
import { writePaper } from '../receipts/paper/paper.ts';
import type { CheckedReceipt, SignedReceipt } from '../receipts/signed.ts';
import type { SigningKey } from '../trust/keys.ts';
import { History, keepIfPossible } from './history.ts';

export interface WrittenReceipt extends CheckedReceipt {
  readonly path: string;
  /** What was written for paper: pictures of QR codes, and lines to be typed. */
  readonly paper: readonly string[];
}

export interface ReceiptPlace {
  readonly folder: string;
  readonly key: SigningKey;
  readonly history?: string | undefined;
  /** Whether it is written for paper, too. */
  readonly paper: boolean;
}

/** Two runs that end in the same second want one name. */
const ATTEMPTS = 5;

/**
 * Makes a receipt that follows those in the folder and in the history, writes it into the folder,
 * and keeps it in the history, where that is possible.
 * @throws BundleError USAGE, DISK where it cannot be written into the folder
 */
export async function publishReceipt(
  issue: Issue,
  { folder, key, history: historyFolder, paper }: ReceiptPlace,
  { now, observe }: Context,
): Promise<WrittenReceipt> {
  const history = historyFolder === undefined ? undefined : new History(historyFolder);
  const earlier: SignedReceipt[] = [];
  if (history !== undefined) {
    await keepIfPossible(history, 'what earlier receipts say', observe, async () => {
      earlier.push(...(await history.receipts(observe)));
    });
  }
  for (let attempt = 1; ; attempt += 1) {
    const signed = issueReceipt(issue, [...earlier, ...(await receiptsIn(folder))], key, now);
    let path: string;
    try {
      path = await writeReceipt(folder, signed);
    } catch (error) {
      if (!hasCode(error, 'USAGE') || attempt === ATTEMPTS) throw error;
      continue; // another run has written it meanwhile, and this one follows that now
    }
    if (history !== undefined) {
      const what = `the receipt ${path}`;
      await keepIfPossible(history, what, observe, () => history.keepReceipt(signed));
    }
    return { ...signed, path, paper: paper ? await writePaper(folder, signed) : [] };
  }
}
