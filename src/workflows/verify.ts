import { drain } from '../core/bytes.ts';
import { BundleError } from '../core/errors.ts';
import { imagesUsing } from '../core/plan.ts';
import { verified } from '../core/verified.ts';
import type { Context } from './context.ts';
import { openBundle, type OpenedBundle, type OpenRequest } from './open-bundle.ts';

/** What an audit found out; an audit that found a fault throws it. */
export interface VerifyReport {
  readonly bundle: Omit<OpenedBundle, 'reader'>;
  /** Blobs that were hashed, and their bytes. */
  readonly blobs: number;
  readonly bytes: number;
}

/**
 * Audits a bundle: signer, listing, release signature, closure, and every byte of the file.
 * @throws BundleError naming the entry and the images that need it.
 */
export async function verify(request: OpenRequest, context: Context): Promise<VerifyReport> {
  const { reader, ...bundle } = await openBundle(request, context);
  const { observe, signal } = context;
  const { content } = bundle.release;
  try {
    const bytes = content.layers.reduce((total, { descriptor }) => total + descriptor.size, 0);
    observe({ type: 'planned', blobs: content.layers.length, bytes, images: content.images.length });
    observe({ type: 'phase', what: 'hashing every layer' });
    for (const { descriptor, image } of content.layers) {
      const { digest, size } = descriptor;
      observe({ type: 'started', digest, bytes: size, image });
      try {
        await drain(verified(reader.fetch(descriptor, { signal }), descriptor), (chunk) => {
          observe({ type: 'advanced', bytes: chunk });
        });
      } catch (error) {
        if (!(error instanceof BundleError)) throw error;
        throw error.about(`images ${imagesUsing(content, digest).join(', ')}`);
      }
      observe({ type: 'finished', digest, bytes: size, image });
    }
    const metadata = content.metadata.reduce((total, { descriptor }) => total + descriptor.size, 0);
    return { bundle, blobs: content.metadata.length + content.layers.length, bytes: bytes + metadata };
  } finally {
    await reader.close();
  }
}
