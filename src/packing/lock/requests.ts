import { BundleError } from '../../core/errors.ts';
import type { LockedRun } from '../../kinds/lock/lock-form.ts';
import { type PartRequest, partRequest } from '../../kinds/kind.ts';
import { namesIn } from './locked-sources.ts';
import { type AnyLockForm, type Lock, LOCK_FORMS } from './lock.ts';

/**
 * The requests that find exactly what a lock names.
 * @param file for messages.
 * @throws BundleError CONFIGURATION for a row that no lock has, or a lock without parts
 */
export function requestsOf(lock: Lock, file: string, run: LockedRun): readonly PartRequest[] {
  try {
    namesIn(lock); // its references are read before anything is asked for
    const requests = Object.entries(LOCK_FORMS).flatMap(([list, form]) => {
      const any = form as AnyLockForm;
      return lock[list as keyof typeof LOCK_FORMS].map((row) =>
        partRequest(any.kind, any.requestOf(row, run)),
      );
    });
    if (requests.length > 0) return requests;
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new BundleError('CONFIGURATION', `${file}: ${error.message}`, {
      cause: error,
      subject: file,
      hint: 'Use it as bundle pack --lock FILE has written it, and do not edit it; or write a new one.',
    });
  }
  throw new BundleError('CONFIGURATION', `${file} locks nothing`, {
    hint: 'Write a new one with bundle pack --lock FILE.',
  });
}
