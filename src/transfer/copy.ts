import { type ByteStream, streamOf } from '../core/bytes.ts';
import { forEachLimited } from '../core/concurrency.ts';
import type { CopyOptions, CopyReport } from './copy-options.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import { cutOff, type OnePass } from './one-pass.ts';
import { type ContentPlan, type PlannedImage, releaseImagesOf } from './plan.ts';
import type { ReadOnlyStore, Store } from '../core/store.ts';
import type { TagState } from './tags.ts';
import { verified } from './verified.ts';

/**
 * Copies images to their targets. The unit is the image: as soon as its last blob is there its
 * manifests follow, bottom up, and its tags. Signature images and referrers follow their subject.
 * Release images come after everything else, and their tags last of all: nobody can install a
 * release that is not whole.
 *
 * What a target holds already is not sent; what another target of the same registry holds is
 * mounted.
 * @param tags what `surveyTags` found; tags that name the right thing are kept.
 *
 * Out of a pipe the layers come in their own order, those of the release image first. What can no
 * longer be had is left out, with the images that need it and the release's tag.
 * @throws BundleError that a pipe ended with, after everything that came before is at the target.
 */
export async function copyImages(
  plan: ContentPlan,
  tags: readonly TagState[],
  targetOf: (image: PlannedImage) => Store,
  options: CopyOptions,
): Promise<CopyReport> {
  const run = new CopyRun(plan, tags, targetOf, options);
  const ofRelease = releaseImagesOf(plan);
  const rest = plan.images.filter((image) => !ofRelease.has(image));
  const releases = plan.images.filter((image) => ofRelease.has(image));
  if (options.pass !== undefined) {
    await run.pass(options.pass, rest, releases);
    if (run.lost.size > 0) return run.leaveOut(releases);
    await run.tagReleases(releases);
    return run.report;
  }
  await run.copy(rest);
  if (options.leaves !== undefined && (options.leaves.isIncomplete || run.lost.size > 0))
    return run.leaveOut(releases);
  await run.copy(releases);
  if (run.lost.size > 0) return run.leaveOut(releases);
  await run.tagReleases(releases);
  return run.report;
}

class CopyRun {
  readonly report: CopyReport = {
    blobs: { pushed: 0, mounted: 0, skipped: 0, pushedBytes: 0, skippedBytes: 0 },
    manifests: { pushed: 0, skipped: 0 },
    tags: { set: 0, kept: 0 },
    left: [],
  };
  /** Blobs that could not be had. */
  readonly lost = new Set<Digest>();
  readonly #targetOf: (image: PlannedImage) => Store;
  readonly #options: CopyOptions;
  readonly #bytes: ReadonlyMap<Digest, Uint8Array>;
  readonly #tags = new Map<PlannedImage, Map<string, Digest | undefined>>();
  readonly #images: readonly PlannedImage[];
  /** The place of each layer in a pipe. */
  readonly #order: ReadonlyMap<Digest, number>;
  /** Images that are at their target. */
  readonly #whole = new Set<PlannedImage>();
  /** Which targets are known to hold a blob or manifest. */
  readonly #holders = new Map<Digest, Set<Store>>();

  constructor(
    plan: ContentPlan,
    tags: readonly TagState[],
    targetOf: (image: PlannedImage) => Store,
    options: CopyOptions,
  ) {
    this.#targetOf = targetOf;
    this.#options = options;
    for (const { image, tag, current } of tags)
      this.#tags.set(
        image,
        (this.#tags.get(image) ?? new Map<string, Digest | undefined>()).set(tag, current),
      );
    this.#images = plan.images;
    this.#order = new Map(
      plan.layers.map(({ descriptor }, index) => [descriptor.digest, index + 1]),
    );
    this.#bytes = new Map(plan.metadata.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  }

  /**
   * Copies all images from a pipe; the releases' manifests follow when everything else is there.
   */
  async pass(
    pass: OnePass,
    rest: readonly PlannedImage[],
    releases: readonly PlannedImage[],
  ): Promise<void> {
    pass.beginSettling();
    await this.copy([...rest, ...releases], (image) => (releases.includes(image) ? rest : []));
    try {
      await pass.finish();
    } catch (error) {
      throw error instanceof BundleError
        ? cutOff(error, this.#whole.size, this.#images.length)
        : error;
    }
  }

  /**
   * Copies images with everything they consist of; whoever completes an image's last blob goes on
   * with its manifests.
   * @param after images that have to be there before the manifests of one may follow.
   */
  async copy(
    images: readonly PlannedImage[],
    after: (image: PlannedImage) => readonly PlannedImage[] = () => [],
  ): Promise<void> {
    const { concurrency, signal } = this.#options;
    const waiting = new Map<PlannedImage, number>();
    const followers = new Map<string, PlannedImage[]>();
    const jobs = new Map<
      Digest,
      { readonly descriptor: Descriptor; readonly uses: Map<string, PlannedImage> }
    >();
    const waitFor = (image: PlannedImage, key: string): void => {
      waiting.set(image, (waiting.get(image) ?? 0) + 1);
      const others = followers.get(key);
      if (others === undefined) followers.set(key, [image]);
      else others.push(image);
    };
    const targets = [...new Set(images.map(this.#targetOf))];
    const keyOf = (image: PlannedImage, digest: Digest): string =>
      `${targets.indexOf(this.#targetOf(image))} ${digest}`;

    for (const image of images) {
      for (const descriptor of image.blobs) {
        const { digest } = descriptor;
        const key = keyOf(image, digest);
        waitFor(image, key);
        const job = jobs.get(digest) ?? { descriptor, uses: new Map<string, PlannedImage>() };
        if (!job.uses.has(key)) job.uses.set(key, image);
        jobs.set(digest, job);
      }
    }
    const owners = new Map<Digest, PlannedImage>();
    for (const image of images)
      for (const { digest } of image.manifests) if (!owners.has(digest)) owners.set(digest, image);
    for (const image of images) {
      const owner = image.subject === undefined ? undefined : owners.get(image.subject);
      if (owner !== undefined) waitFor(image, ownerKey(owner));
      for (const other of after(image)) waitFor(image, ownerKey(other));
    }
    const settle = async (key: string, combined: AbortSignal): Promise<void> => {
      for (const image of followers.get(key) ?? []) {
        const left = waiting.get(image)! - 1;
        waiting.set(image, left);
        if (left > 0) continue;
        await this.#finishImage(image, combined);
        await settle(ownerKey(image), combined);
      }
    };
    for (const image of images.filter((candidate) => !waiting.has(candidate))) {
      await this.#finishImage(image, signal); // an index that lists nothing
      await settle(ownerKey(image), signal);
    }
    const { pass } = this.#options;
    const place = ({ descriptor }: { readonly descriptor: Descriptor }): number =>
      this.#order.get(descriptor.digest) ?? 0;
    await forEachLimited(
      pass === undefined ? jobs.values() : [...jobs.values()].sort((a, b) => place(a) - place(b)),
      concurrency,
      async ({ descriptor, uses }, combined) => {
        for (const [key, image] of uses) {
          try {
            await this.#copyBlob(descriptor, image, combined);
            await settle(key, combined);
          } catch (error) {
            if (!this.#isLoss(error))
              throw error instanceof BundleError ? error.about(`image ${image.name}`) : error;
            this.lost.add(descriptor.digest); // nobody goes on with the images that wait for it
            if (error !== pass?.failure)
              this.#options.observe({
                type: 'noticed',
                message: `left out: ${(error as Error).message}`,
              });
          }
        }
        pass?.settle(descriptor.digest);
      },
      signal,
    );
  }

  /** What a source does not give, or a pipe no more, may be no reason to give up the rest. */
  #isLoss(error: unknown): boolean {
    const { leaves, pass } = this.#options;
    if (pass !== undefined)
      return hasCode(error, 'PASSED') || (error !== undefined && error === pass.failure);
    return leaves?.isLoss(error) === true;
  }

  /** Ends a copy that is not whole: nothing will name the release. */
  leaveOut(releases: readonly PlannedImage[]): CopyReport {
    const left = this.#images.filter(
      (image) => releases.includes(image) || !this.#whole.has(image),
    );
    return { ...this.report, left: left.map(({ name }) => name) };
  }

  /** The very last step: until here nothing names the release. */
  async tagReleases(images: readonly PlannedImage[]): Promise<void> {
    for (const image of images.filter(({ role }) => role === 'release')) {
      for (const tag of this.#tagsToSet(image))
        await this.#targetOf(image).tag(image.descriptor, tag, { signal: this.#options.signal });
      this.#countTags(image);
    }
  }

  async #copyBlob(descriptor: Descriptor, image: PlannedImage, signal: AbortSignal): Promise<void> {
    const { observe } = this.#options;
    const { digest, size: bytes } = descriptor;
    const target = this.#targetOf(image);
    const { blobs } = this.report;
    if (await target.exists(descriptor, { signal })) {
      blobs.skipped += 1;
      blobs.skippedBytes += bytes;
      observe({ type: 'skipped', digest, bytes, image: image.name });
    } else if (await this.#mount(descriptor, target, signal)) {
      blobs.mounted += 1;
      observe({ type: 'skipped', digest, bytes, image: image.name });
    } else {
      observe({ type: 'started', digest, bytes, image: image.name });
      // In a pipe it has gone by.
      const [holder] = this.#options.pass === undefined ? [] : this.#holdersOf(digest);
      await this.#push(descriptor, holder ?? image.store, target, signal);
      blobs.pushed += 1;
      blobs.pushedBytes += bytes;
      observe({ type: 'finished', digest, bytes, image: image.name });
    }
    this.#holdersOf(digest).add(target);
  }

  async #mount(descriptor: Descriptor, target: Store, signal: AbortSignal): Promise<boolean> {
    if (target.mount === undefined) return false;
    for (const holder of this.#holdersOf(descriptor.digest)) {
      if (await target.mount(descriptor, holder, { signal })) return true;
    }
    return false;
  }

  async #push(
    descriptor: Descriptor,
    source: ReadOnlyStore,
    target: Store,
    signal: AbortSignal,
  ): Promise<void> {
    const { observe } = this.#options;
    const bytes = this.#bytes.get(descriptor.digest);
    const { pass } = this.#options;
    // What cannot be read again is checked here too, so that wrong content is told from content
    // that has gone by.
    const passes = pass !== undefined && !pass.keepsWhole(descriptor);
    const checked = (content: ByteStream): ByteStream =>
      passes ? verified(content, descriptor) : content;
    let wrong: BundleError | undefined;
    let sent = 0;
    const from = async function* (start: number): AsyncGenerator<Uint8Array> {
      if (wrong !== undefined) throw wrong;
      if (sent > start) observe({ type: 'advanced', bytes: start - sent });
      sent = start;
      const range = { start, end: descriptor.size };
      const whole = start === 0;
      const content = bytes
        ? streamOf(bytes.subarray(start))
        : source.fetch(descriptor, { ...(!whole && { range }), signal });
      try {
        for await (const chunk of whole ? checked(content) : content) {
          sent += chunk.length;
          observe({ type: 'advanced', bytes: chunk.length });
          yield chunk;
        }
      } catch (error) {
        if (passes && hasCode(error, 'CONTENT_MISMATCH')) wrong = error;
        throw error;
      }
    };
    await target.push(descriptor, from(0), { signal, again: from, isAbsent: true });
  }

  async #finishImage(image: PlannedImage, signal: AbortSignal): Promise<void> {
    const target = this.#targetOf(image);
    const missing = this.#tagsToSet(image);
    const isNamed = missing.length < image.tags.length;
    const [tag, ...others] = image.role === 'release' ? [] : missing;
    for (const descriptor of image.manifests) {
      const holders = this.#holdersOf(descriptor.digest);
      const isItself = descriptor.digest === image.descriptor.digest;
      const isThere = holders.has(target) || (isItself && isNamed);
      const named = isItself && tag !== undefined && { tag };
      const isHeld = !named && (isThere || (await target.exists(descriptor, { signal })));
      if (isHeld && (!isItself || (await this.#isListed(image, target, signal)))) {
        this.report.manifests.skipped += 1;
      } else {
        await target.push(descriptor, streamOf(this.#bytes.get(descriptor.digest)!), {
          signal,
          ...named,
        });
        this.report.manifests.pushed += 1;
      }
      holders.add(target);
    }
    if (image.role !== 'release') {
      for (const other of others) await target.tag(image.descriptor, other, { signal });
      this.#countTags(image);
    }
    this.#whole.add(image);
  }

  /** A referrer that its subject does not list is as good as none. */
  async #isListed(
    { role, subject, descriptor: { digest } }: PlannedImage,
    target: Store,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (role !== 'referrer' || subject === undefined) return true;
    return (await target.referrers(subject, { signal })).some((listed) => listed.digest === digest);
  }

  /** Those of its tags that name something else at the target, or nothing. */
  #tagsToSet(image: PlannedImage): readonly string[] {
    return image.tags.filter((tag) => this.#tags.get(image)?.get(tag) !== image.descriptor.digest);
  }

  #countTags(image: PlannedImage): void {
    const set = this.#tagsToSet(image).length;
    this.report.tags.set += set;
    this.report.tags.kept += image.tags.length - set;
  }

  #holdersOf(digest: Digest): Set<Store> {
    let holders = this.#holders.get(digest);
    if (holders === undefined) {
      holders = new Set();
      this.#holders.set(digest, holders);
    }
    return holders;
  }
}

function ownerKey(image: PlannedImage): string {
  return `image ${image.name}`;
}
