import { type Digest, digestOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';
import { type Keyring, type SignedText, verifySignedText } from '../../trust/signed-text.ts';
import { yamlDocuments } from './yaml-value.ts';

/** Whose key signed a chart. */
export type Provenance = Pick<SignedText, 'signer' | 'keyName'>;

/** A packaged chart with its provenance file. */
export interface SignedChart {
  /** As in the provenance file: `podinfo-5.0.0.tgz`. */
  readonly fileName: string;
  readonly archive: Uint8Array;
  readonly provenance: Uint8Array;
}

/**
 * Checks the provenance file of a chart (`helm package --sign` writes it): signed by a key of the
 * keyring that is good at `now`, and about these bytes under this name.
 * @throws BundleError SIGNATURE_INVALID, SIGNER_UNKNOWN; CONTENT_MISMATCH where it is about other
 * bytes
 */
export async function checkProvenance(
  { fileName, archive, provenance }: SignedChart,
  keys: Keyring,
  now: Date,
): Promise<Provenance> {
  const what = `the provenance file of the chart ${fileName}`;
  const { text, signer, keyName } = await verifySignedText(provenance, { keys, what, now });
  const stated = statedDigest(text, fileName, what);
  const digest = digestOf(archive);
  if (stated !== digest) {
    throw new BundleError('CONTENT_MISMATCH', `${fileName} is not the chart that was signed`, {
      ...{ expected: stated, got: digest },
      hint: 'Fetch the chart again. If it stays so, ask its publisher.',
    });
  }
  return { signer, keyName };
}

/** The digest that a provenance file states for a file: its second document has them. */
function statedDigest(text: string, fileName: string, what: string): Digest {
  for (const { value } of yamlDocuments(text, what)) {
    const files = isObject(value) ? value['files'] : undefined;
    const stated = isObject(files) ? files[fileName] : undefined;
    if (typeof stated === 'string' && /^sha256:[0-9a-f]{64}$/.test(stated)) return stated as Digest;
  }
  throw new BundleError('SIGNATURE_INVALID', `${what} states no SHA-256 of that file`, {
    hint: 'Fetch it again. If it stays so, ask its publisher.',
  });
}
