import { type Limit, mapLimited } from '../core/concurrency.ts';
import type { Digest } from '../core/digest.ts';
import { type BundleError, hasCode } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import type { Store } from '../core/store.ts';
import type { PlannedImage } from './image.ts';
import { onSide } from './sides.ts';

/** A tag that names something at a target already. */
export interface TagState {
  readonly image: PlannedImage;
  readonly tag: string;
  readonly target: Store;
  /** The digest that the tag names now; `undefined` if the tag does not exist. */
  readonly current: Digest | undefined;
  /**
   * The refusal, where the target lets nobody look. Some refuse what is not there yet, so it counts
   * as not there until a push was allowed.
   */
  readonly refusal?: BundleError | undefined;
}

/**
 * Asks a target for every tag of the plan, so that what would be overwritten is known before
 * anything is written.
 */
export async function surveyTags(
  images: readonly PlannedImage[],
  targetOf: (image: PlannedImage) => Store,
  {
    concurrency,
    signal,
    observe,
  }: {
    readonly concurrency: Limit;
    readonly signal: AbortSignal;
    readonly observe?: Observe;
  },
): Promise<readonly TagState[]> {
  const wanted = images.flatMap((image) =>
    image.tags.map((tag) => ({ image, tag, target: targetOf(image) })),
  );
  let done = 0;
  return mapLimited(
    wanted,
    concurrency,
    async ({ image, tag, target }, combined) => {
      try {
        return {
          image,
          tag,
          target,
          current: (await target.resolve(tag, { signal: combined })).digest,
        };
      } catch (error) {
        const absent = { image, tag, target, current: undefined };
        if (hasCode(error, 'NOT_FOUND')) return absent;
        if (hasCode(error, 'NOT_ALLOWED')) return { ...absent, refusal: error };
        throw onSide(error, 'target');
      } finally {
        done += 1;
        observe?.({ type: 'counted', what: 'tags', done, total: wanted.length });
      }
    },
    signal,
  );
}
