import { streamOf } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { ReadOnlyStore, Store } from '../core/store.ts';
import type { BlobCopier } from './copy-blob.ts';
import type { CopyCounts } from './copy-options.ts';
import { Holders } from './holders.ts';
import { namesItsPart, type PlannedImage } from './image.ts';
import type { TagState } from './tags.ts';

/**
 * Whether a place lists an image under its subject, if it is a referrer: one that is not listed is
 * as good as none.
 */
export async function isListed(
  { attachment, subject, descriptor }: PlannedImage,
  place: ReadOnlyStore,
  signal: AbortSignal,
): Promise<boolean> {
  if (attachment !== 'referrer' || subject === undefined) return true;
  const listed = await place.referrers(subject, { signal });
  return listed.some(({ digest }) => digest === descriptor.digest);
}

/** Brings the manifests of images to targets whose blobs are there, and names them. */
export class ManifestCopier {
  readonly #bytes: ReadonlyMap<Digest, Uint8Array>;
  readonly #blobs: BlobCopier;
  readonly #counts: CopyCounts;
  /** The digest that each tag of an image names now. */
  readonly #tags = new Map<PlannedImage, Map<string, Digest | undefined>>();
  readonly #holders = new Holders();
  /** Targets that were found to give a manifest by its digest: one stands for all of a target. */
  readonly #confirmed = new Set<Store>();

  /**
   * @param bytes of all manifests.
   * @param blobs brings those again that a target does not hold any more.
   * @param tags what `surveyTags` found; those that name the right thing are kept.
   */
  constructor(
    bytes: ReadonlyMap<Digest, Uint8Array>,
    blobs: BlobCopier,
    tags: readonly TagState[],
    counts: CopyCounts,
  ) {
    this.#bytes = bytes;
    this.#blobs = blobs;
    this.#counts = counts;
    for (const { image, tag, current } of tags) {
      const known = this.#tags.get(image) ?? new Map<string, Digest | undefined>();
      this.#tags.set(image, known.set(tag, current));
    }
  }

  /** All manifests of an image, bottom up, and its tags at once, but for those that name a part. */
  async copy(image: PlannedImage, target: Store, signal: AbortSignal): Promise<void> {
    const missing = this.#tagsToSet(image);
    const isNamed = missing.length < image.tags.length;
    const [tag, ...others] = namesItsPart(image) ? [] : missing;
    for (const descriptor of image.manifests) {
      const { digest } = descriptor;
      const isItself = digest === image.descriptor.digest;
      const isThere = this.#holders.of(digest).has(target) || (isItself && isNamed);
      const named = isItself && tag !== undefined && { tag };
      const isHeld = !named && (isThere || (await target.exists(descriptor, { signal })));
      if (isHeld && (!isItself || (await isListed(image, target, signal)))) {
        this.#counts.manifests.skipped += 1;
      } else {
        const content = streamOf(this.#bytes.get(digest)!);
        const restore = (): Promise<void> => this.#restore(image, descriptor, target, signal);
        await target.push(descriptor, content, { signal, restore, ...named });
        this.#counts.manifests.pushed += 1;
      }
      this.#holders.add(digest, target);
    }
    if (!this.#confirmed.has(target)) {
      this.#confirmed.add(target);
      await target.confirm?.(image.descriptor, { signal });
    }
    if (namesItsPart(image)) return;
    for (const other of others) await target.tag(image.descriptor, other, { signal });
    this.#countTags(image);
  }

  /**
   * Sets the tags of an image that names its part, and which the target gives by its digest: from
   * then on the part counts as delivered, and clusters ask for it by digest.
   */
  async name(image: PlannedImage, target: Store, signal: AbortSignal): Promise<void> {
    await target.confirm?.(image.descriptor, { signal });
    for (const tag of this.#tagsToSet(image)) await target.tag(image.descriptor, tag, { signal });
    this.#countTags(image);
  }

  /**
   * Brings blobs and manifests of an image again that a target does not hold any more, up to the
   * manifest that it refused for the lack of them.
   */
  async #restore(
    image: PlannedImage,
    refused: Descriptor,
    target: Store,
    signal: AbortSignal,
  ): Promise<void> {
    for (const blob of image.blobs) await this.#blobs.restore(blob, image, target, signal);
    for (const manifest of image.manifests) {
      if (manifest === refused) return;
      if (await target.exists(manifest, { signal })) continue;
      await target.push(manifest, streamOf(this.#bytes.get(manifest.digest)!), { signal });
    }
  }

  /** Those of its tags that name something else at the target, or nothing. */
  #tagsToSet(image: PlannedImage): readonly string[] {
    const current = this.#tags.get(image);
    return image.tags.filter((tag) => current?.get(tag) !== image.descriptor.digest);
  }

  #countTags(image: PlannedImage): void {
    const set = this.#tagsToSet(image).length;
    this.#counts.tags.set += set;
    this.#counts.tags.kept += image.tags.length - set;
  }
}
