import { BundleError, type ErrorDetail } from '../../core/errors.ts';

/**
 * The failure of a file that is not a bundle, or not a whole one, or one with a byte that does not
 * belong.
 */
export function unusable(message: string, detail: ErrorDetail = {}): BundleError {
  return new BundleError('BUNDLE_UNUSABLE', message, {
    hint: 'Verify the bundle where it was made, then copy it again.',
    ...detail,
  });
}
