import { streamOf } from './bytes.ts';
import { forEachLimited, type Limit, mapLimited } from './concurrency.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { BundleError, hasCode } from './errors.ts';
import type { Observe } from './events.ts';
import type { ContentPlan, PlannedImage } from './plan.ts';
import type { ReadOnlyStore, Store } from './store.ts';

export interface CopyOptions {
  /** Transfers at a time. */
  readonly concurrency: Limit;
  readonly signal: AbortSignal;
  readonly observe: Observe;
  /** For a copy that may leave images out: whole ones are copied with their tags, and a release only if nothing is lost. */
  readonly leaves?: Leaves | undefined;
}

/** What a copy may leave out. */
export interface Leaves {
  /** It is known beforehand that something is missing. */
  readonly isIncomplete: boolean;
  /** Whether a failure only says that the source cannot give a blob. */
  readonly isLoss: (error: unknown) => boolean;
}

/** A tag that names something at a target already. */
export interface TagState {
  readonly image: PlannedImage;
  readonly tag: string;
  readonly target: Store;
  /** What it names now; `undefined` when it names nothing. */
  readonly current: Digest | undefined;
}

export interface CopyReport {
  readonly blobs: { pushed: number; mounted: number; skipped: number; pushedBytes: number; skippedBytes: number };
  readonly manifests: { pushed: number; skipped: number };
  readonly tags: { set: number; kept: number };
  /** Names of images that were left out, since something of them could not be had. */
  readonly left: readonly string[];
}

/** Asks a target for every tag of the plan, so that what would be overwritten is known before anything is written. */
export async function surveyTags(
  images: readonly PlannedImage[],
  targetOf: (image: PlannedImage) => Store,
  { concurrency, signal }: CopyOptions,
): Promise<readonly TagState[]> {
  const wanted = images.flatMap((image) => image.tags.map((tag) => ({ image, tag, target: targetOf(image) })));
  return mapLimited(
    wanted,
    concurrency,
    async ({ image, tag, target }, combined) => {
      try {
        return { image, tag, target, current: (await target.resolve(tag, { signal: combined })).digest };
      } catch (error) {
        if (hasCode(error, 'NOT_FOUND')) return { image, tag, target, current: undefined };
        throw error;
      }
    },
    signal,
  );
}

/**
 * Copies images to their targets. The unit is the image: as soon as its last blob is there its manifests follow, bottom
 * up, and its tags. A signature image follows its subject. Release images come after everything else, and their tags
 * last of all: nobody can install a release that is not whole.
 *
 * What a target holds already is not sent; what another target of the same registry holds is mounted.
 * @param tags what {@link surveyTags} found; tags that name the right thing are kept.
 */
export async function copyImages(
  plan: ContentPlan,
  tags: readonly TagState[],
  targetOf: (image: PlannedImage) => Store,
  options: CopyOptions,
): Promise<CopyReport> {
  const run = new CopyRun(plan, tags, targetOf, options);
  const ofRelease = new Set(
    plan.images.flatMap(({ role, manifests }) => (role === 'release' ? manifests.map(({ digest }) => digest) : [])),
  );
  /** Release images and the signatures of what they consist of. */
  const belongsToRelease = ({ role, subject }: PlannedImage): boolean =>
    role === 'release' || (subject !== undefined && ofRelease.has(subject));
  const rest = plan.images.filter((image) => !belongsToRelease(image));
  const releases = plan.images.filter(belongsToRelease);
  await run.copy(rest);
  if (options.leaves !== undefined && (options.leaves.isIncomplete || run.lost.size > 0)) return run.leaveOut(releases);
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
  /** Which targets are known to hold a blob or manifest. */
  readonly #holders = new Map<Digest, Set<Store>>();

  constructor(plan: ContentPlan, tags: readonly TagState[], targetOf: (image: PlannedImage) => Store, options: CopyOptions) {
    this.#targetOf = targetOf;
    this.#options = options;
    for (const { image, tag, current } of tags)
      this.#tags.set(image, (this.#tags.get(image) ?? new Map<string, Digest | undefined>()).set(tag, current));
    this.#images = plan.images;
    this.#bytes = new Map(plan.metadata.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  }

  /** Copies images with everything they consist of; whoever completes an image's last blob goes on with its manifests. */
  async copy(images: readonly PlannedImage[]): Promise<void> {
    const { concurrency, signal } = this.#options;
    const waiting = new Map<PlannedImage, number>();
    const followers = new Map<string, PlannedImage[]>();
    const jobs: { descriptor: Descriptor; image: PlannedImage; key: string }[] = [];
    const known = new Set<string>();
    const waitFor = (image: PlannedImage, key: string): void => {
      waiting.set(image, (waiting.get(image) ?? 0) + 1);
      const others = followers.get(key);
      if (others === undefined) followers.set(key, [image]);
      else others.push(image);
    };
    const targets = [...new Set(images.map(this.#targetOf))];
    const keyOf = (image: PlannedImage, digest: Digest): string => `${targets.indexOf(this.#targetOf(image))} ${digest}`;

    for (const image of images) {
      for (const descriptor of image.blobs) {
        const key = keyOf(image, descriptor.digest);
        waitFor(image, key);
        if (!known.has(key)) jobs.push({ descriptor, image, key });
        known.add(key);
      }
    }
    const owners = new Map<Digest, PlannedImage>();
    for (const image of images) for (const { digest } of image.manifests) if (!owners.has(digest)) owners.set(digest, image);
    for (const image of images) {
      const owner = image.subject === undefined ? undefined : owners.get(image.subject);
      if (owner !== undefined) waitFor(image, ownerKey(owner));
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
    await forEachLimited(
      jobs,
      concurrency,
      async ({ descriptor, image, key }, combined) => {
        try {
          await this.#copyBlob(descriptor, image, combined);
          await settle(key, combined);
        } catch (error) {
          if (this.#options.leaves?.isLoss(error) === true) {
            this.lost.add(descriptor.digest); // nobody goes on with the images that wait for it
            this.#options.observe({ type: 'noticed', message: `left out: ${(error as Error).message}` });
            return;
          }
          throw error instanceof BundleError ? error.about(`image ${image.name}`) : error;
        }
      },
      signal,
    );
  }

  /** Ends a copy that is not whole: nothing will name the release. */
  leaveOut(releases: readonly PlannedImage[]): CopyReport {
    const left = this.#images.filter((image) => releases.includes(image) || image.blobs.some(({ digest }) => this.lost.has(digest)));
    return { ...this.report, left: left.map(({ name }) => name) };
  }

  /** The very last step: until here nothing names the release. */
  async tagReleases(images: readonly PlannedImage[]): Promise<void> {
    for (const image of images.filter(({ role }) => role === 'release')) await this.#tag(image, this.#options.signal);
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
      await this.#push(descriptor, image.store, target, signal);
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

  async #push(descriptor: Descriptor, source: ReadOnlyStore, target: Store, signal: AbortSignal): Promise<void> {
    const { observe } = this.#options;
    const bytes = this.#bytes.get(descriptor.digest);
    let sent = 0;
    const from = async function* (start: number): AsyncGenerator<Uint8Array> {
      if (sent > start) observe({ type: 'advanced', bytes: start - sent });
      sent = start;
      const range = { start, end: descriptor.size };
      const whole = start === 0;
      const content = bytes ? streamOf(bytes.subarray(start)) : source.fetch(descriptor, { ...(!whole && { range }), signal });
      for await (const chunk of content) {
        sent += chunk.length;
        observe({ type: 'advanced', bytes: chunk.length });
        yield chunk;
      }
    };
    await target.push(descriptor, from(0), { signal, again: from, isAbsent: true });
  }

  async #finishImage(image: PlannedImage, signal: AbortSignal): Promise<void> {
    const target = this.#targetOf(image);
    for (const descriptor of image.manifests) {
      const holders = this.#holdersOf(descriptor.digest);
      if (holders.has(target) || (await target.exists(descriptor, { signal }))) {
        this.report.manifests.skipped += 1;
      } else {
        await target.push(descriptor, streamOf(this.#bytes.get(descriptor.digest)!), { signal });
        this.report.manifests.pushed += 1;
      }
      holders.add(target);
    }
    if (image.role !== 'release') await this.#tag(image, signal);
  }

  async #tag(image: PlannedImage, signal: AbortSignal): Promise<void> {
    for (const tag of image.tags) {
      if (this.#tags.get(image)?.get(tag) === image.descriptor.digest) {
        this.report.tags.kept += 1;
      } else {
        await this.#targetOf(image).tag(image.descriptor, tag, { signal });
        this.report.tags.set += 1;
      }
    }
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
