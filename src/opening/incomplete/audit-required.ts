import { isDamage } from '../../bundle/reading/fault.ts';
import { drain } from '../../core/bytes.ts';
import type { Context } from '../../core/context.ts';
import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { verified } from '../../transfer/verified.ts';
import type { SurveyedBundle } from '../open-bundle.ts';

/** What a bundle leaves out, of one earlier bundle. */
export interface AuditedRequired {
  readonly name: string;
  readonly bundle: Digest;
  readonly isAssumed: boolean;
  /** Blobs that were read from that bundle and are right, and their bytes. */
  readonly good: number;
  readonly goodBytes: number;
  /** Those that were not there to be read: nothing is proven about them. */
  readonly unread: number;
  readonly unreadBytes: number;
}

/**
 * Hashes what a bundle leaves out, as far as bundles beside it have it.
 * @throws BundleError CONTENT_MISMATCH, BUNDLE_UNUSABLE for what is damaged there
 */
export async function auditRequired(
  { reader, content }: Pick<SurveyedBundle, 'reader' | 'content'>,
  { signal, observe }: Context,
): Promise<readonly AuditedRequired[]> {
  const audited: AuditedRequired[] = [];
  for (const { bundle, name, assumed, blobs } of reader.manifest.requires ?? []) {
    const known = { good: 0, goodBytes: 0, unread: 0, unreadBytes: 0 };
    observe({ type: 'phase', what: `hashing what ${name} has` });
    for (const blob of blobs) {
      const descriptor = { ...blob, mediaType: '' };
      if (!(await content.exists(descriptor))) {
        known.unread += 1;
        known.unreadBytes += blob.size;
        continue;
      }
      try {
        await drain(verified(content.fetch(descriptor, { signal }), descriptor));
      } catch (error) {
        throw error instanceof BundleError && isDamage(error) ? error.about(name) : error;
      }
      known.good += 1;
      known.goodBytes += blob.size;
    }
    audited.push({ name, bundle, isAssumed: assumed === true, ...known });
  }
  return audited;
}
