import { BundleError } from '../core/errors.ts';
import type { Digest } from '../core/digest.ts';
import type { Required } from './required.ts';
import { blobsOf } from '../history/blobs.ts';
import { History } from '../history/history.ts';
import type { BundleContent } from '../bundle/reading/reader.ts';
import type { Place } from '../transfer/image.ts';

/** A bundle, and the same with the bundles that were named beside it. */
interface Opened {
  readonly reader: Pick<BundleContent, 'manifest'>;
  readonly content: BundleContent;
}

/**
 * What a bundle leaves out and no bundle that was named beside it has, with the places where earlier
 * ones have put it, as far as the history of this host knows them; `undefined` where there is none.
 */
export async function requiredAtTarget(
  { reader, content }: Opened,
  { history: folder }: { readonly history?: string | undefined },
): Promise<Required | undefined> {
  const bundles: Required['bundles'][number][] = [];
  const places = new Map<Digest, readonly Place[]>();
  const history = folder === undefined ? undefined : new History(folder);
  for (const row of reader.manifest.requires ?? []) {
    const blobs: (typeof row.blobs)[number][] = [];
    for (const blob of row.blobs)
      if (!(await content.exists({ ...blob, mediaType: '' }))) blobs.push(blob);
    if (blobs.length === 0) continue;
    bundles.push({ ...row, blobs });
    for (const [digest, one] of await knownOf(row.bundle, history))
      places.set(digest, [...(places.get(digest) ?? []), ...one]);
  }
  if (bundles.length === 0) return undefined;
  return { bundles, placesOf: (digest) => places.get(digest) ?? [] };
}

/** Nothing where the history cannot be read: it only saves a transfer. */
async function knownOf(
  digest: Digest,
  history: History | undefined,
): Promise<readonly (readonly [Digest, readonly Place[]])[]> {
  try {
    const kept = await history?.bundle(digest);
    return kept === undefined ? [] : [...blobsOf(kept)].map(([blob, { places }]) => [blob, places]);
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    return [];
  }
}
