import { isDamage } from '../../bundle/reading/fault.ts';
import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { hasCode } from '../../core/errors.ts';
import type { FetchOptions, ReadOnlyStore } from '../../core/store.ts';

/**
 * Content that an earlier run has left, as far as it goes, and the rest of it from where it comes
 * from.
 * @param here what is there of what `options` ask for, unchecked; it may end in any damage.
 */
export async function* continued(
  here: ByteStream,
  origin: ReadOnlyStore,
  descriptor: Descriptor,
  options: FetchOptions,
): AsyncGenerator<Uint8Array> {
  const { start, end } = options.range ?? { start: 0, end: descriptor.size };
  let at = start;
  try {
    for await (const chunk of here) {
      at += chunk.length;
      yield chunk;
    }
    return;
  } catch (error) {
    if (!isDamage(error) && !hasCode(error, 'NOT_FOUND')) throw error;
  }
  if (at === start) yield* origin.fetch(descriptor, options);
  else if (at < end) yield* origin.fetch(descriptor, { ...options, range: { start: at, end } });
}

/** A store that gives what an earlier run has left of content; all else is asked of its origin. */
export abstract class BeforeOrigin implements ReadOnlyStore {
  protected readonly origin: ReadOnlyStore;

  constructor(origin: ReadOnlyStore) {
    this.origin = origin;
  }

  get name(): string {
    return this.origin.name;
  }

  abstract fetch(descriptor: Descriptor, options?: FetchOptions): ByteStream;

  placeOf = (digest: Digest): string | undefined => this.origin.placeOf?.(digest);
  exists: ReadOnlyStore['exists'] = (descriptor, options) =>
    this.origin.exists(descriptor, options);
  resolve: ReadOnlyStore['resolve'] = (reference, options) =>
    this.origin.resolve(reference, options);
  tags: ReadOnlyStore['tags'] = (options) => this.origin.tags(options);
  referrers: ReadOnlyStore['referrers'] = (subject, options) =>
    this.origin.referrers(subject, options);
}
