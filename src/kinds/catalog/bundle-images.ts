import type { CatalogBundle } from '../../catalogs/catalog.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { formatReference } from '../../core/reference.ts';
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
      { subject: name, cause: error, hint: wayAround(name) },
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

/** Where clusters ask for an image of a bundle: by its tag, if nobody knows the digest. */
export function sourceIn(
  text: string,
  bundle: CatalogBundle,
  pinned: ReadonlyMap<string, Digest>,
): string {
  const { registry, repository, tag = 'latest', digest } = bundleImage(text, bundle).reference;
  const own = digest ?? pinned.get(text);
  return formatReference({
    ...{ registry, repository, ...(own === undefined ? { tag } : { digest: own }) },
  });
}

/** How to go on without a bundle, or without an image of it. */
export function wayAround(bundle: string): string {
  return (
    `Name another version of the operator; or go on without this one: --skip-bundle ${bundle}. ` +
    'If the operator works without the image, --skip-related leaves that out.'
  );
}

/**
 * A failure to get an image, told of the image.
 * @param bundle that names the image, where the packer may go without it.
 */
export function told(error: unknown, image: string, bundle: string | undefined): unknown {
  if (!(error instanceof BundleError)) return error;
  const about = error.about(image);
  if (bundle === undefined || !['NOT_FOUND', 'NOT_ALLOWED'].includes(error.code)) return about;
  const way = wayAround(bundle);
  return about.withHint(error.hint === undefined ? way : `${error.hint} ${way}`);
}
