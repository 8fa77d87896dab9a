import type { Observe, TransferEvent } from '../../core/events.ts';
import type { FindOptions, Found, Kind, Part, PartRequest } from '../../kinds/kind.ts';
import type { Sources } from '../../kinds/sources.ts';

/** A part that was found for a request. */
export interface FoundPart extends Found {
  readonly kind: Kind;
  readonly asked: PartRequest;
}

/** A part that was found, and all that follows from it. */
export interface Expanded {
  readonly found: FoundPart;
  readonly part: Part;
}

/** What is noticed is told once, however often a part is found. */
export class ToldOnce {
  readonly #told = new Set<string>();
  readonly #observe: Observe;

  constructor(observe: Observe) {
    this.#observe = observe;
  }

  readonly observe: Observe = (event) => {
    if (event.type === 'noticed') {
      const text = JSON.stringify(event);
      if (this.#told.has(text)) return;
      this.#told.add(text);
    }
    this.#observe(event);
  };
}

/**
 * Leaves out of parts what lacks images, so that the parts can be whole: until nothing of a part
 * lacks an image, or nothing can be left out of it. Then it stays as it was asked for.
 */
export class Dropper {
  readonly #sources: Sources;
  readonly #options: FindOptions;
  /** Parts by the one that was found first: without what was left out of them so far. */
  readonly #instead = new Map<FoundPart, FoundPart>();
  readonly #staying = new Set<FoundPart>();

  constructor(sources: Sources, options: FindOptions) {
    this.#sources = sources;
    this.#options = options;
  }

  /** The part as it is carried now. */
  now(first: FoundPart): FoundPart {
    return this.#instead.get(first) ?? first;
  }

  /**
   * @param expanded what has followed from {@link now}.
   * @param expand says what follows from a part.
   * @throws BundleError as finding and expanding do
   */
  async settle(
    first: FoundPart,
    expanded: Expanded,
    expand: (found: FoundPart) => Promise<Expanded>,
  ): Promise<Expanded> {
    const { observe } = this.#options;
    const notices: TransferEvent[] = [];
    const options: FindOptions = {
      ...this.#options,
      // What is tried and not kept is nothing to be told.
      observe: (event) => {
        if (event.type === 'noticed') notices.push(event);
        else observe(event);
      },
    };
    let now = expanded;
    for (;;) {
      const { found, part } = now;
      const { holes = [] } = part;
      if (holes.length === 0 || this.#staying.has(first)) break;
      if (found.kind.drop === undefined) return now;
      const lacking = { request: found.asked.request, seed: found.seed, holes };
      const next = await found.kind.drop(lacking, this.#sources, options);
      if (!('stays' in next)) {
        now = await expand({ ...found, ...next });
        continue;
      }
      this.#staying.add(first);
      const cause = next.stays;
      observe({ type: 'noticed', code: 'part-stays-incomplete', part: part.label, cause });
      this.#instead.delete(first);
      return found === first ? now : expand(first);
    }
    if (now.found !== first) this.#instead.set(first, now.found);
    for (const notice of notices) observe(notice);
    return now;
  }
}
