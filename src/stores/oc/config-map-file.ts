import { type Digest, hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asObject, asString, parseStrictJson } from '../../core/json.ts';

/** A config map with ten signatures of 50 KiB, in base64, is smaller. */
export const MAX_CONFIG_MAP_BYTES = 1024 * 1024;

/**
 * The signatures in a config map as `oc adm release mirror` writes it: JSON, whatever its name ends
 * with. They are checked by who uses them.
 * @throws BundleError UNSUPPORTED_CONTENT for what is no such config map.
 */
export function messagesInConfigMap(bytes: Uint8Array, digest: Digest): Uint8Array[] {
  const document = asObject(parseStrictJson(bytes, 'the config map'), 'the config map');
  const data = asObject(document['binaryData'], 'binaryData of the config map');
  const prefix = `sha256-${hexOf(digest)}-`;
  const numbered = Object.keys(data)
    .filter((key) => key.startsWith(prefix))
    .map((key) => ({ key, number: Number(key.slice(prefix.length)) }))
    .sort((a, b) => a.number - b.number);
  if (numbered.length === 0) {
    throw new BundleError('UNSUPPORTED_CONTENT', 'the config map has no signature of the release', {
      expected: `a key that begins with ${prefix}`,
    });
  }
  return numbered.map(({ key }) => Buffer.from(asString(data[key], key), 'base64'));
}
