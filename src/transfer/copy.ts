import { forEachLimited } from '../core/concurrency.ts';
import type { Digest } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { Store } from '../core/store.ts';
import { BlobCopier } from './copy-blob.ts';
import { ManifestCopier } from './copy-manifests.ts';
import type { CopyCounts, CopyOptions, CopyReport } from './copy-options.ts';
import type { PlannedImage } from './image.ts';
import { cutOff } from './one-pass.ts';
import type { ContentPlan } from './plan.ts';
import { type BlobJob, Schedule } from './schedule.ts';
import { aboutImage, onSide } from './sides.ts';
import type { TagState } from './tags.ts';

/**
 * Copies images to their targets. The unit is the image: as soon as its last blob is there its
 * manifests follow, bottom up, and its tags. What is attached to an image follows it. The last
 * images of a part come after all others of the part, and the tags of those that name the part are
 * set when everything else is done: nobody finds a part that is not whole.
 *
 * What a target holds already is not sent; what another target of the same registry holds is
 * mounted.
 *
 * Out of a pipe the blobs come in the order of the pipe. What can no longer be had is left out,
 * with the images that need it, and then nothing is named.
 * @param tags what `surveyTags` found; tags that name the right thing are kept.
 * @throws BundleError that a pipe ended with, after everything that came before is at the target;
 * any other failure with its side.
 */
export async function copyImages(
  plan: ContentPlan,
  tags: readonly TagState[],
  targetOf: (image: PlannedImage) => Store,
  options: CopyOptions,
): Promise<CopyReport> {
  return new CopyRun(plan, tags, targetOf, options).run();
}

type Job = BlobJob<PlannedImage, Store>;

class CopyRun {
  readonly #targetOf: (image: PlannedImage) => Store;
  readonly #options: CopyOptions;
  readonly #counts: CopyCounts = {
    blobs: { pushed: 0, mounted: 0, skipped: 0, pushedBytes: 0, skippedBytes: 0 },
    manifests: { pushed: 0, skipped: 0 },
    tags: { set: 0, kept: 0 },
  };
  readonly #schedule: Schedule<PlannedImage, Store>;
  readonly #blobs: BlobCopier;
  readonly #manifests: ManifestCopier;
  readonly #jobs: Iterator<Job>;
  /** Images whose turn has come, and how many of them have been begun. */
  readonly #ready: PlannedImage[];
  #begun = 0;
  #isNamed = false;
  readonly #images: readonly PlannedImage[];
  /** What images lack that are left out for it: the failure of each blob, by its digest. */
  readonly #lost = new Map<PlannedImage, Map<string, string>>();
  /** Blobs and images that are being copied, and the moment when the next of them is done. */
  #underWay = 0;
  #nextEnd = deferred();

  constructor(
    plan: ContentPlan,
    tags: readonly TagState[],
    targetOf: (image: PlannedImage) => Store,
    options: CopyOptions,
  ) {
    this.#targetOf = targetOf;
    this.#images = plan.images;
    this.#options = options;
    this.#schedule = new Schedule(plan.images, targetOf, {
      blobOrder: options.pass?.digests,
      incompleteParts: options.leaves?.incompleteParts,
    });
    this.#jobs = this.#schedule.jobs.values();
    this.#ready = [...this.#schedule.ready];
    const bytes = new Map(
      plan.manifests.map(({ descriptor, bytes: content }) => [descriptor.digest, content]),
    );
    this.#blobs = new BlobCopier(bytes, this.#counts, options);
    this.#manifests = new ManifestCopier(bytes, this.#blobs, tags, this.#counts);
  }

  async run(): Promise<CopyReport> {
    try {
      return await this.#copyAll();
    } catch (error) {
      const { finishedCount: done, imageCount: images } = this.#schedule;
      this.#options.onFailure?.({ done, images, isNamed: this.#isNamed });
      throw error;
    }
  }

  async #copyAll(): Promise<CopyReport> {
    const { concurrency, signal, leaves, pass } = this.#options;
    const needed = new Set(this.#schedule.jobs.map(({ blob }) => blob.digest));
    pass?.beginSettling((digest) => needed.has(digest));
    await forEachLimited(this.#work(), concurrency, (task, combined) => task(combined), signal);
    this.#tellLost();
    await this.#finishPass();
    const { wholeParts, naming, left, held } = this.#schedule.outcome({
      allOrNothing: leaves === undefined,
    });
    await forEachLimited(
      naming,
      concurrency,
      async (image, combined) => {
        await this.#atTarget(image, (target) => this.#manifests.name(image, target, combined));
        this.#isNamed = true;
      },
      signal,
    );
    const namesOf = (images: readonly PlannedImage[]): readonly string[] =>
      images.map(({ name }) => name);
    return { ...this.#counts, wholeParts, left: namesOf(left), held: namesOf(held) };
  }

  /**
   * Yields the next task: an image that is ready comes before the next blob. If there is neither,
   * tasks that are under way may still make images ready, so it waits for them.
   */
  *#work(): Generator<(signal: AbortSignal) => Promise<void>> {
    for (;;) {
      const image = this.#ready[this.#begun];
      if (image !== undefined) {
        this.#begun += 1;
        yield this.#counted((signal) => this.#copyManifests(image, signal));
        continue;
      }
      const job = this.#jobs.next();
      if (job.done !== true) yield this.#counted((signal) => this.#copyBlob(job.value, signal));
      else if (this.#underWay > 0) yield () => this.#nextEnd.promise;
      else return;
    }
  }

  #counted(task: (signal: AbortSignal) => Promise<void>): (signal: AbortSignal) => Promise<void> {
    this.#underWay += 1;
    return async (signal) => {
      try {
        await task(signal);
      } finally {
        this.#underWay -= 1;
        const { resolve } = this.#nextEnd;
        this.#nextEnd = deferred();
        resolve();
      }
    };
  }

  async #copyBlob({ blob, uses }: Job, signal: AbortSignal): Promise<void> {
    let lost: unknown;
    const waiting: PlannedImage[] = [];
    const passedOver: (typeof uses)[number][] = [];
    for (const use of uses) {
      if (!this.#schedule.isNeeded(use)) {
        passedOver.push(use);
        continue;
      }
      const [image] = use.images;
      try {
        await this.#blobs.copy(blob, image, use.target, signal);
      } catch (error) {
        if (!this.#isLoss(error, blob.digest)) throw about(image, error);
        this.#schedule.lost(use);
        lost = error;
        waiting.push(...use.images);
        continue;
      }
      for (const next of this.#schedule.arrived(use)) this.#ready.push(next);
    }
    // What is held back lacks the blob, too: nobody may be told that it is whole.
    if (lost !== undefined) {
      for (const use of passedOver) {
        this.#schedule.lost(use);
        waiting.push(...use.images);
      }
    }
    const { pass } = this.#options;
    pass?.settle(blob.digest);
    // The failure that ended a pipe is reported once at the end, for all blobs that did not come.
    if (!(lost instanceof Error) || lost === pass?.failure) return;
    for (const image of waiting) {
      const causes = this.#lost.get(image) ?? new Map<string, string>();
      this.#lost.set(image, causes.set(blob.digest, lost.message));
    }
  }

  /** Each image once, whatever it lacks, and in one order however the blobs were copied. */
  #tellLost(): void {
    const { observe } = this.#options;
    const lost = this.#images.filter((image) => this.#lost.has(image));
    for (const [index, image] of lost.entries()) {
      const causes = this.#lost.get(image)!;
      const cause = image.blobs.flatMap(({ digest }) => causes.get(digest) ?? [])[0]!;
      const facts = { image: image.name, cause, number: index + 1, images: lost.length };
      observe({ type: 'noticed', code: 'image-left-out', ...facts });
    }
  }

  async #copyManifests(image: PlannedImage, signal: AbortSignal): Promise<void> {
    if (this.#schedule.isHopeless(image)) return;
    await this.#atTarget(image, (target) => this.#manifests.copy(image, target, signal));
    for (const next of this.#schedule.finished(image)) this.#ready.push(next);
    const { finishedCount: done, imageCount: total } = this.#schedule;
    this.#options.observe({ type: 'counted', what: 'images', done, total });
  }

  /** Does what the target alone can fail at. */
  async #atTarget(image: PlannedImage, work: (target: Store) => Promise<void>): Promise<void> {
    try {
      await work(this.#targetOf(image));
    } catch (error) {
      throw about(image, onSide(error, 'target'));
    }
  }

  /**
   * Whether the copy continues without a blob: one that the source cannot give, or that a pipe no
   * longer gives.
   */
  #isLoss(error: unknown, blob: Digest): boolean {
    const { leaves, pass } = this.#options;
    if (pass?.failure !== undefined && error === pass.failure) return true;
    if (!(error instanceof BundleError) || error.side !== 'source') return false;
    return (
      (pass !== undefined && hasCode(error, 'NOT_REPLAYABLE')) ||
      leaves?.isLoss(error, blob) === true
    );
  }

  async #finishPass(): Promise<void> {
    const { finishedCount, imageCount } = this.#schedule;
    try {
      await this.#options.pass?.finish();
    } catch (error) {
      throw error instanceof BundleError ? cutOff(error, finishedCount, imageCount) : error;
    }
  }
}

function about({ name }: PlannedImage, error: unknown): unknown {
  return error instanceof BundleError ? aboutImage(error, name) : error;
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function deferred(): Deferred {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
