import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { MAX_SIGNATURE_BYTES } from '../core/limits.ts';
import { parseManifest } from '../core/manifest.ts';
import type { ReadOnlyStore } from '../core/store.ts';
import { isStatementType } from '../trust/image-statements.ts';
import type { PlannedImage } from '../transfer/image.ts';
import type { ContentPlan } from '../transfer/plan.ts';

/** A layer that has to be a statement about a manifest. */
export interface Statement {
  readonly layer: Descriptor;
  readonly subject: Digest;
  /** The image that it belongs to. */
  readonly name: string;
  readonly store: ReadOnlyStore;
}

/** An image that nothing proves but the signature of the packer, and what is wrong with it. */
export interface Unproven {
  readonly name: string;
  readonly why: string;
}

/**
 * What is attached to the images of a bundle, as far as manifests tell: the layers that have to be
 * small statements about their subject, and the images that cannot be taken from a packer whom
 * nobody knows.
 */
export function attachedStatements({ images, manifests }: ContentPlan): {
  readonly statements: readonly Statement[];
  readonly unproven: readonly Unproven[];
} {
  const bytesOf = new Map(manifests.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  const statements: Statement[] = [];
  const unproven: Unproven[] = [];
  for (const image of images) {
    if (image.attachment === undefined) continue;
    const found = statementsOf(image, bytesOf.get(image.descriptor.digest)!);
    if (typeof found === 'string') unproven.push({ name: image.name, why: found });
    else statements.push(...found);
  }
  return { statements, unproven };
}

/** The reason where an image is something else. */
function statementsOf(
  { name, subject, store }: PlannedImage,
  bytes: Uint8Array,
): readonly Statement[] | string {
  const manifest = parseManifest(bytes);
  if (subject === undefined || manifest.kind === 'index') return 'it is not a signature image';
  if (manifest.config.size > MAX_SIGNATURE_BYTES) return 'its config is too large';
  const other = manifest.layers.find(({ mediaType }) => !isStatementType(mediaType));
  if (other !== undefined) return `it holds ${other.mediaType}`;
  if (manifest.layers.some(({ size }) => size > MAX_SIGNATURE_BYTES))
    return `it holds more than ${MAX_SIGNATURE_BYTES} bytes`;
  return manifest.layers.map((layer) => ({ layer, subject, name, store }));
}

/**
 * The images of a bundle that only the packer proves, and that `unpack` refuses where nobody is
 * trusted yet.
 */
export function needsTrustedPacker(content: ContentPlan): readonly Unproven[] {
  const unsigned = content.images
    .filter(({ proof, attachment }) => proof === 'signer' && attachment === undefined)
    .map(({ name }) => ({ name, why: 'no release signature covers it' }));
  return [...unsigned, ...attachedStatements(content).unproven];
}
