import { deflateRawSync, inflateRawSync } from 'node:zlib';

import { BundleError } from '../../core/errors.ts';
import { MAX_RECEIPT_BYTES } from '../../core/limits.ts';
import { parseReceipt } from '../receipt.ts';
import type { SignedReceipt } from '../signed.ts';

const COMPACT_FORMAT = 1;
const HEADER_BYTES = 3;

/**
 * What receipts have in common. It is a part of the format: who changes a byte of it, changes the
 * number of the format.
 */
export const DICTIONARY = `"known": "earlier",
"known": "asked",
"known": "read",
          "label": "image registry.redhat.io/ for aarch64 for multi for x86_64"
-aarch64-multi{
  "format": 1,
  "site": "plant-",
  "time": "2026-01-00T00:00:00Z",
  "previous": null,
  "previous": "sha256:0123456789abcdef",
  "replaces": true,
  "replaces": false,
  "target": {
    "registry": "registry.example.com:5000",
    "namespace": "ocp4",
    "places": {
      "entry": "ocp4/openshift/release-images",
      "content": "ocp4/openshift/release",
      "graph": "ocp4/openshift/graph-image"
    },
    "maxNestedPaths": null
  },
  "bundles": [
    {
      "name": "ocp-4.1-x86_64",
      "digest": "sha256:",
      "whole": true,
      "known": "delivered",
      "parts": [
        {
          "number": 0,
          "label": "4.1 for x86_64"
        },
        {
          "number": 1,
          "label": ""
        }
      ]
    },
    {
      "name": ""
    }
  ],
  "program": "ocp-bundle 0.1.0",
  "signer": ""
}
`;

/**
 * A receipt in few bytes, for paper: the number of this form, the length of the signature (big
 * endian), the signature, and what is signed, deflated (RFC 1951) with the dictionary.
 */
export function compactOf({ bytes, signature }: SignedReceipt): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(COMPACT_FORMAT, 0);
  header.writeUInt16BE(signature.length, 1);
  const deflated = deflateRawSync(bytes, { level: 9, dictionary: Buffer.from(DICTIONARY) });
  return Buffer.concat([header, signature, deflated]);
}

/** The receipt of such bytes; nobody has checked its signature. @throws BundleError UNSUPPORTED_CONTENT */
export function fromCompact(compact: Uint8Array): SignedReceipt {
  const view = Buffer.from(compact.buffer, compact.byteOffset, compact.byteLength);
  if (view.length < HEADER_BYTES || view.readUInt8(0) !== COMPACT_FORMAT) {
    throw new BundleError('UNSUPPORTED_CONTENT', 'the receipt on paper has another format', {
      expected: String(COMPACT_FORMAT),
      got: view.length === 0 ? 'nothing' : String(view[0]),
      hint: 'Use a version of bundle that knows the format.',
    });
  }
  const end = HEADER_BYTES + view.readUInt16BE(1);
  let bytes: Uint8Array;
  try {
    bytes = inflateRawSync(view.subarray(end), {
      dictionary: Buffer.from(DICTIONARY),
      maxOutputLength: MAX_RECEIPT_BYTES,
    });
  } catch (cause) {
    throw new BundleError('UNSUPPORTED_CONTENT', 'the receipt on paper cannot be unpacked', {
      cause,
      hint: 'Scan or type it again.',
    });
  }
  return { receipt: parseReceipt(bytes), bytes, signature: view.subarray(HEADER_BYTES, end) };
}
