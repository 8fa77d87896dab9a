import type { Context } from '../core/context.ts';
import { BundleError } from '../core/errors.ts';
import { nearest } from '../core/text.ts';
import { receiptsIn } from '../receipts/file.ts';
import { isSignedBy, siteOf } from '../receipts/issue.ts';
import { checkSiteName, type ReceiptTarget, targetName } from '../receipts/receipt.ts';
import type { SignedReceipt } from '../receipts/signed.ts';
import type { SigningKey } from '../trust/keys.ts';
import { History, keepIfPossible } from './history.ts';

/** Which site a receipt that is to be written is of. */
export interface SiteQuestion {
  /** As it was named. */
  readonly site?: string | undefined;
  /** This is its first receipt, though there are some of others. */
  readonly isNewSite: boolean;
  readonly target: ReceiptTarget;
  /** Where the receipt goes, and earlier ones lie. */
  readonly folder: string;
  readonly history?: string | undefined;
  /** What signs it; `undefined` where the key is yet to be made, which has signed nothing. */
  readonly key: SigningKey | undefined;
}

/**
 * The name of the site. Under another name than before, a receipt would follow none: the packer
 * would know of two sites, and nothing of what the second has had. So a name is taken from the
 * earlier receipts of this key about this target, and one that contradicts them is refused.
 * @throws BundleError USAGE
 */
export async function siteOfReceipt({
  site: named,
  isNewSite,
  target,
  folder,
  history,
  key,
}: SiteQuestion): Promise<string> {
  const usual = checkSiteName(siteOf(named, target));
  if (isNewSite || key === undefined) return usual;
  const own = (await earlierReceipts(folder, history))
    .filter((signed) => isSignedBy(signed, key))
    .map(({ receipt }) => receipt);
  const at = targetName(target);
  const here = sitesOf(own.filter((receipt) => targetName(receipt.target) === at));
  const known = here.length > 0 ? here : sitesOf(own);
  const [only] = here;
  if (named === undefined && only !== undefined && here.length === 1) return only;
  if (named === undefined && known.length > 0 && (here.length > 1 || !known.includes(usual)))
    throw unnamed(at, { here, known });
  if (named !== undefined && here.length > 0 && !here.includes(named))
    throw another(named, at, here);
  return usual;
}

function sitesOf(receipts: readonly { readonly site: string }[]): readonly string[] {
  return [...new Set(receipts.map(({ site }) => site))].sort();
}

/** Of a history that cannot be read, the run says so when it keeps the receipt there. */
async function earlierReceipts(
  folder: string,
  history: string | undefined,
): Promise<readonly SignedReceipt[]> {
  const found = [...(await receiptsIn(folder))];
  if (history === undefined) return found;
  const silent: Context['observe'] = () => undefined;
  const kept = new History(history);
  await keepIfPossible(kept, 'what earlier receipts say', silent, async () => {
    found.push(...(await kept.receipts(silent)));
  });
  return found;
}

function unnamed(
  at: string,
  { here, known }: { readonly here: readonly string[]; readonly known: readonly string[] },
): BundleError {
  const where = here.length > 0 ? `about ${at}` : 'of this key, about other targets,';
  return new BundleError('USAGE', `nothing says which site the receipt about ${at} is of`, {
    expected: '--site NAME',
    got: `earlier receipts ${where} of ${known.join(', ')}`,
    hint:
      'Nothing was done. Name the site with --site: one of these, or a new name. A receipt under ' +
      'a new name begins a new site, of which the packer knows nothing.',
  });
}

function another(named: string, at: string, here: readonly string[]): BundleError {
  const meant = nearest(named, here) ?? here[0]!;
  return new BundleError('USAGE', `no earlier receipt about ${at} is of the site ${named}`, {
    expected: here.join(', '),
    got: named,
    hint:
      `Nothing was done. If you mean the same site, give --site ${meant}. If ${named} is another ` +
      'site, add --new-site: its receipts then begin anew, and the next bundle for it is a whole one.',
  });
}
