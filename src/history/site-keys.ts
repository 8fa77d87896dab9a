import { type Digest, digestOf, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { asObject, asString, parseStrictJson } from '../core/json.ts';
import type { SignedReceipt } from '../receipts/signed.ts';

/** A key whose receipts are accepted as those of a site, since somebody has read one in. */
export interface SiteKey {
  readonly site: string;
  /** The id of the key. */
  readonly key: string;
}

/** The keys of each site. */
export type SiteKeys = ReadonlyMap<string, ReadonlySet<string>>;

export function formatSiteKey({ site, key }: SiteKey): { bytes: Uint8Array; digest: Digest } {
  const bytes = Buffer.from(`${JSON.stringify({ site, key })}\n`);
  return { bytes, digest: digestOf(bytes) };
}

/** @throws BundleError CONTENT_MISMATCH, UNSUPPORTED_CONTENT */
export function parseSiteKey(bytes: Uint8Array, hex: string, what: string): SiteKey {
  const { site, key } = asObject(parseStrictJson(bytes, what), what);
  const read = { site: asString(site, what), key: asString(key, what) };
  if (hexOf(formatSiteKey(read).digest) === hex) return read;
  throw new BundleError('CONTENT_MISMATCH', `${what} has the name of something else`);
}

/**
 * What a site has, only its own receipts say: those of another site are signed with a key that is
 * trusted, too.
 * @throws BundleError SIGNER_UNKNOWN for a key that the site has not used before
 */
export function checkSiteKey(keys: SiteKeys, { receipt }: SignedReceipt, what: string): void {
  const its = keys.get(receipt.site);
  if (its === undefined || its.has(receipt.signer)) return;
  throw new BundleError(
    'SIGNER_UNKNOWN',
    `${what}: it says that it is of ${receipt.site}, but is signed with another key than before`,
    {
      expected: [...its].sort().join(' or '),
      got: receipt.signer,
      subject: what,
      hint:
        'It may be the receipt of another site. If the site has a new key, ask them for its id, ' +
        'and read the receipt in: bundle history import RECEIPT --accept-new-key.',
    },
  );
}
