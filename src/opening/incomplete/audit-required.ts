import type { RequiredBundle } from '../../bundle/format/manifest.ts';
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
  /**
   * Those that could be read from none of the bundles that have them: nothing is proven about them.
   */
  readonly unread: RequiredBundle['blobs'];
}

/**
 * Hashes what a bundle leaves out, as far as bundles beside it have it.
 * @throws BundleError CONTENT_MISMATCH, BUNDLE_UNUSABLE for what is damaged there
 */
export async function auditRequired(
  { reader, earlier }: Pick<SurveyedBundle, 'reader' | 'earlier'>,
  { signal, observe }: Context,
): Promise<readonly AuditedRequired[]> {
  const { requires = [] } = reader.manifest;
  const read = new Set<Digest>();
  const good = new Map<RequiredBundle, RequiredBundle['blobs'][number][]>();
  for (const row of requires) {
    const own: RequiredBundle['blobs'][number][] = [];
    good.set(row, own);
    const holder = earlier.get(row.bundle);
    if (holder === undefined) continue;
    observe({ type: 'phase', what: `hashing what ${row.name} has` });
    for (const [done, blob] of row.blobs.entries()) {
      observe({ type: 'counted', what: 'blobs', done, total: row.blobs.length });
      const descriptor = { ...blob, mediaType: '' };
      if (read.has(blob.digest) || !(await holder.exists(descriptor))) continue;
      try {
        await drain(verified(holder.fetch(descriptor, { signal }), descriptor));
      } catch (error) {
        throw error instanceof BundleError && isDamage(error) ? error.about(row.name) : error;
      }
      read.add(blob.digest);
      own.push(blob);
    }
  }
  return requires.map((row) => {
    const { bundle, name, assumed, blobs } = row;
    const own = good.get(row)!;
    const goodBytes = own.reduce((sum, { size }) => sum + size, 0);
    const unread = blobs.filter(({ digest }) => !read.has(digest));
    return { name, bundle, isAssumed: assumed === true, good: own.length, goodBytes, unread };
  });
}
