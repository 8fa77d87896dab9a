import { type Digest, digestOf } from '../../src/core/digest.ts';
import type { Receipt, ReceiptBundle } from '../../src/receipts/receipt.ts';
import { SigningKey } from '../../src/trust/keys.ts';

export const siteKey = SigningKey.generate('ecdsa-p256');

export function bundleRow(name: string, more: Partial<ReceiptBundle> = {}): ReceiptBundle {
  return {
    name,
    digest: digestOf(name),
    whole: true,
    known: 'delivered',
    parts: [{ number: 0, label: `${name} for x86_64` }],
    ...more,
  };
}

/** A receipt of `plant-a`, as far as it is not told otherwise. */
export function receiptOf(
  bundles: readonly ReceiptBundle[],
  more: Partial<Receipt> = {},
): Omit<Receipt, 'signer'> {
  return {
    site: 'plant-a',
    time: '2026-11-28T23:05:00Z',
    previous: null as Digest | null,
    replaces: false,
    target: {
      registry: 'registry.example.com:5000',
      namespace: 'ocp4',
      places: {
        entry: 'ocp4/openshift/release-images',
        content: 'ocp4/openshift/release',
        graph: 'ocp4/openshift/graph-image',
      },
      maxNestedPaths: null,
    },
    bundles,
    program: 'ocp-bundle 0.1.0',
    ...more,
  };
}
