import type { Context } from '../../core/context.ts';
import { BundleError, gravest, hasCode } from '../../core/errors.ts';
import { believedKeys } from '../../opening/signers.ts';
import { readReceipt } from '../../receipts/file.ts';
import { type CheckedReceipt, checkReceipt, type SignedReceipt } from '../../receipts/signed.ts';
import type { SignerKey } from '../../trust/keys.ts';

export interface ShownReceipt extends SignedReceipt {
  readonly path: string;
  /** Whose signature is good; `undefined` where the key is not known here. */
  readonly signer: SignerKey | undefined;
}

/**
 * Reads a receipt. That its signer is not known here is told, and no failure: a bad signature is
 * one.
 * @throws BundleError NOT_FOUND, UNSUPPORTED_CONTENT, SIGNATURE_INVALID
 */
export async function showReceipt(
  path: string,
  trustedKeyFiles: readonly string[],
  context: Context,
): Promise<ShownReceipt> {
  const keys = await believedKeys(trustedKeyFiles, context);
  const signed = await readReceipt(path);
  try {
    return { ...checkReceipt(signed, keys, path), path };
  } catch (error) {
    if (!hasCode(error, 'SIGNER_UNKNOWN')) throw error;
    return { ...signed, path, signer: undefined };
  }
}

export interface CheckReceiptsRequest {
  readonly paths: readonly string[];
  readonly trustedKeyFiles: readonly string[];
  /** The site that they have to be of. */
  readonly site?: string | undefined;
}

/**
 * Checks receipts: their form, their signatures, whether their signers are believed, and whether
 * they are of the site that was named.
 * @throws BundleError the gravest; NOT_THE_EXPECTED_BUNDLE for the receipt of another site
 */
export async function checkReceipts(
  { paths, trustedKeyFiles, site }: CheckReceiptsRequest,
  context: Context,
): Promise<readonly (CheckedReceipt & { readonly path: string })[]> {
  const keys = await believedKeys(trustedKeyFiles, context);
  const checked: (CheckedReceipt & { readonly path: string })[] = [];
  const failures: BundleError[] = [];
  for (const path of paths) {
    try {
      const one = checkReceipt(await readReceipt(path), keys, path);
      refuseOtherSite(one, path, site);
      checked.push({ ...one, path });
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      failures.push(error);
    }
  }
  if (failures.length === 0) return checked;
  const worst = gravest(failures) as BundleError;
  if (failures.length === 1) throw worst;
  const own = reasonOf(worst);
  const items = failures
    .filter((one) => one !== worst)
    .map((one) => (reasonOf(one) === own ? `${one.subject ?? ''}: the same` : one.message));
  throw worst.withDetails([{ label: 'refused, too', items }]);
}

/** What is wrong with a receipt, without its name. */
function reasonOf({ message, subject }: BundleError): string {
  return subject === undefined ? message : message.replace(subject, '');
}

function refuseOtherSite(
  { receipt }: CheckedReceipt,
  path: string,
  site: string | undefined,
): void {
  if (site === undefined || receipt.site === site) return;
  throw new BundleError('NOT_THE_EXPECTED_BUNDLE', `${path} is the receipt of another site`, {
    expected: site,
    got: receipt.site,
    subject: path,
    hint: 'Ask the site that is meant for its receipt.',
  });
}
