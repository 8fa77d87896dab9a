import { basename } from 'node:path';

import { shellWord } from '../core/text.ts';
import { BundleError, hasCode } from '../core/errors.ts';

/**
 * A failure while a bundle was read: where its bytes are wrong, with what to do about a bundle.
 * What is no `BundleError` stays as it is.
 */
export function ofBundle(error: unknown): unknown {
  return error instanceof BundleError ? inBundle(error) : error;
}

/** The same for a failure that is known to be of this program. */
export function inBundle(error: BundleError): BundleError {
  if (!hasCode(error, 'CONTENT_MISMATCH') || error.side !== 'source') return error;
  return error.withHint(copyOrPatch());
}

/**
 * What to do where images are damaged.
 * @param damageFile that lists what is damaged, if there is one.
 */
export function copyOrPatch(damageFile?: string): string {
  const patch =
    damageFile === undefined
      ? 'list what is damaged with bundle verify BUNDLE --damage FILE, and pack that on the ' +
        'connected side with bundle pack VERSION --repair FILE -o FOLDER.'
      : `take ${damageFile} to the connected side, and pack what it lists: ` +
        `bundle pack VERSION --repair ${shellWord(basename(damageFile))} -o FOLDER`;
  return `Copy the bundle again from where it was made. If that cannot be done, ${patch}`;
}
