import { mapLimited } from '../../core/concurrency.ts';
import type { Context } from '../../core/context.ts';
import type { Digest } from '../../core/digest.ts';
import { formatReference, formatRepository } from '../../core/reference.ts';
import { ManifestWalker } from '../../transfer/walk.ts';
import type { KnownRelease } from '../../updates/graph-data/evaluate.ts';
import type { Sources } from '../sources.ts';
import type { Architecture } from '../release/architecture.ts';
import { payloadFirst } from '../release/payload/release-image.ts';
import { releasePlace } from '../release/locate.ts';
import { parsePayload } from '../release/payload/image-references.ts';
import { readPayload } from '../release/payload/payload.ts';
import { tagsFor } from '../release/tags.ts';

/** What a release image says of itself. No signature was looked at. */
export interface DescribedRelease extends KnownRelease {
  readonly digest: Digest;
  /** When it was put together; `undefined` where it does not say. */
  readonly created: Date | undefined;
}

/** Release images of one architecture, and where they are. */
export interface DescribeRequest {
  /** As with {@link releasePlace}. */
  readonly from: string | undefined;
  readonly versions: readonly string[];
  readonly architecture: Architecture;
}

/**
 * Reads what release images say of themselves, as an update service does: of each version that has
 * a tag in the repository.
 * @throws BundleError as reading a release image does
 */
export async function describeReleases(
  { from, versions, architecture }: DescribeRequest,
  sources: Sources,
  { lookups, signal, observe }: Context,
): Promise<readonly DescribedRelease[]> {
  const { store, repository } = await releasePlace(from, sources);
  const tags = new Set(await store.tags({ signal }));
  const wanted = versions.flatMap((version) => {
    const tag = tagsFor(version, architecture).find((name) => tags.has(name));
    return tag === undefined ? [] : [{ version, tag }];
  });
  const walker = new ManifestWalker({ concurrency: lookups, signal });
  let done = 0;
  return mapLimited(
    wanted,
    lookups,
    async ({ version, tag }): Promise<DescribedRelease> => {
      const descriptor = await store.resolve(tag, { signal });
      const { digest } = descriptor;
      const source = formatReference({ ...repository, digest });
      const { tree } = await walker.walkOne({
        ...{ name: tag, role: 'release', descriptor, source, tags: [tag], store },
        ...{ place: 'entry', proof: 'signer', order: 'last' },
      });
      const { manifest } = payloadFirst(tree)[0]!;
      const layers = manifest.kind === 'manifest' ? manifest.layers : [];
      const { references, metadata } = parsePayload(await readPayload(layers, store, { signal }));
      done += 1;
      observe({ type: 'counted', what: 'releases', done, total: wanted.length });
      return {
        ...{ version, digest, payload: `${formatRepository(repository)}@${digest}` },
        ...{ previous: metadata.previous, url: metadata.url, created: references.created },
      };
    },
    signal,
  );
}
