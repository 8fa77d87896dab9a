import type { CatalogBundle } from '../../catalogs/catalog.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { type ImagePartRequest, imageRequest } from '../image/request.ts';

/**
 * An image that a bundle names, and its place at a target.
 * @throws BundleError UNSUPPORTED_CONTENT naming the bundle, for a text that names no image
 */
export function bundleImage(
  text: string,
  { name, package: ofPackage }: CatalogBundle,
): ImagePartRequest {
  try {
    return imageRequest(text);
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `bundle ${name} of package ${ofPackage} names an image that is none: ${error.message}`,
      { subject: name, cause: error, hint: 'Leave the operator out, or this version of it.' },
    );
  }
}

/**
 * The digest of the image of a bundle. An old catalog may have bundles without an image.
 */
export function digestIn(
  bundle: CatalogBundle,
  pinned: ReadonlyMap<string, Digest>,
): Digest | undefined {
  if (bundle.image === '') return undefined;
  return bundleImage(bundle.image, bundle).reference.digest ?? pinned.get(bundle.image);
}
