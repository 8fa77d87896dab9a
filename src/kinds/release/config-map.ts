import { stringify } from 'yaml';

import { utf8 } from '../../core/bytes.ts';
import { type Digest, digestFromHex, hexOf } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { MAX_PAYLOAD_FILE_BYTES } from '../../core/limits.ts';
import type { ClusterObject } from '../cluster-object.ts';

/** The config map that carries release signatures to a cluster. */
export interface SignatureConfigMap {
  /** Of its file: `signature-sha256-<first 16 hex>.yaml`, as in the OpenShift manual. */
  readonly name: string;
  readonly object: ClusterObject;
  readonly text: Uint8Array;
}

/**
 * The ConfigMap in which a cluster looks for the signatures of a release: the object that `oc adm
 * release mirror` makes, as YAML, the same bytes for the same signatures.
 * @param messages OpenPGP messages in the order of their numbers.
 */
export function signatureConfigMap(
  digest: Digest,
  messages: readonly Uint8Array[],
): SignatureConfigMap {
  const name = `sha256-${hexOf(digest)}`;
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: 'openshift-config-managed',
      labels: { 'release.openshift.io/verification-signatures': '' },
    },
    binaryData: Object.fromEntries(
      messages.map((message, index) => [
        `${name}-${index + 1}`,
        Buffer.from(message).toString('base64'),
      ]),
    ),
  };
  // In this order of keys bundles hold it: another one would be another file.
  const text = Buffer.from(stringify(object, { lineWidth: 0 }));
  return { name: configMapName(digest), object, text };
}

function configMapName(digest: Digest): string {
  return `signature-sha256-${hexOf(digest).slice(0, 16)}.yaml`;
}

/** Where a bundle holds the config map of a release. */
export function signatureConfigMapPath(digest: Digest): string {
  return `config/${configMapName(digest)}`;
}

/**
 * Takes the signatures out of a config map, and makes it again from them: only the very bytes that
 * {@link signatureConfigMap} makes are accepted, so that nothing else can reach a cluster with it.
 * @throws BundleError CLOSURE_MISMATCH
 */
export function readSignatureConfigMap(text: Uint8Array): {
  readonly digest: Digest;
  readonly messages: readonly Uint8Array[];
} {
  const found = text.length > MAX_PAYLOAD_FILE_BYTES ? undefined : contentOf(text);
  if (
    found !== undefined &&
    Buffer.from(signatureConfigMap(found.digest, found.messages).text).equals(text)
  )
    return found;
  throw new BundleError(
    'CLOSURE_MISMATCH',
    'the signature config map is not exactly what the program makes of its signatures',
    {
      hint: 'Something was added to it or changed in it: do not use this bundle.',
    },
  );
}

/**
 * Reads the lines that hold a name or a signature. The file comes from somebody else, and whatever
 * is odd about it shows when it is made again: so no YAML parser has to face it.
 */
function contentOf(
  text: Uint8Array,
): { digest: Digest; messages: readonly Uint8Array[] } | undefined {
  const lines = utf8(text);
  const hex = /^ {2}name: sha256-([0-9a-f]{64})$/m.exec(lines)?.[1];
  if (hex === undefined) return undefined;
  // A value that YAML would read as a number (`30E0`) is in quotes.
  const values = [...lines.matchAll(/^ {2}sha256-[0-9a-f]{64}-\d+: "?([A-Za-z0-9+/=]+)"?$/gm)];
  return {
    digest: digestFromHex(hex),
    messages: values.map(([, base64]) => Buffer.from(base64!, 'base64')),
  };
}
