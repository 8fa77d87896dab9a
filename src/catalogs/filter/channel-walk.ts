import type { CatalogChannel, ChannelEntry } from '../catalog.ts';

/**
 * The update graph of a channel, seen from its head: the chain of replacements, and what is skipped
 * beside it. It answers what has to be kept with some entries, so that OLM takes the rest as a
 * channel: one head, and no entry that no update leads from.
 *
 * What has to be kept follows from rules of the form "with these, also that one". So more entries
 * never lead to fewer that are kept.
 */
export class ChannelWalk {
  readonly channel: CatalogChannel;
  readonly #entries: ReadonlyMap<string, ChannelEntry>;
  /** Entries from the head down. */
  readonly #chain: readonly string[];
  readonly #position: ReadonlyMap<string, number>;
  /** For each entry the one that skips it, the nearest above it on the chain. */
  readonly #skipper = new Map<string, string>();

  constructor(channel: CatalogChannel) {
    this.channel = channel;
    this.#entries = new Map(channel.entries.map((entry) => [entry.name, entry]));
    this.#chain = chainOf(this.#entries);
    this.#position = new Map(this.#chain.map((name, index) => [name, index]));
    const order = (name: string): number => this.#position.get(name) ?? -1;
    for (const { name: above, skips } of channel.entries)
      for (const skip of skips) {
        if (!this.#entries.has(skip) || skip === above) continue;
        const known = this.#skipper.get(skip);
        const limit = this.#position.get(skip) ?? Infinity;
        const rank = order(above) < limit ? order(above) : -1;
        const knownRank = known === undefined || order(known) >= limit ? -1 : order(known);
        if (known === undefined || rank > knownRank) this.#skipper.set(skip, above);
      }
  }

  /** @returns `undefined` for a channel without entries, or without exactly one head. */
  get head(): string | undefined {
    return this.#chain[0];
  }

  /** The chain of replacements from the head down. */
  get chain(): readonly string[] {
    return this.#chain;
  }

  /**
   * The entries and all that have to be kept with them; each that was added with the one that it
   * was added for.
   * @param wanted entries of this channel.
   */
  closureOf(wanted: Iterable<string>): ReadonlyMap<string, string | undefined> {
    const kept = new Map<string, string | undefined>();
    const add = (name: string | undefined, reason: string): void => {
      if (name !== undefined && !kept.has(name)) kept.set(name, reason);
    };
    for (const name of wanted) kept.set(name, undefined);
    for (let size = -1; size !== kept.size;) {
      size = kept.size;
      // An entry beside the chain comes with what skips it, which leads on to the chain.
      for (const name of kept.keys())
        if (!this.#position.has(name)) {
          add(this.#skipper.get(name), name);
          // Entries that skip one another in a circle need the head of the channel.
          if (!this.#leadsToChain(name)) add(this.#chain[0], name);
        }
      this.#addChain(kept, add);
    }
    return kept;
  }

  #leadsToChain(name: string): boolean {
    const seen = new Set<string>();
    for (let at: string | undefined = name; at !== undefined && !seen.has(at);) {
      if (this.#position.has(at)) return true;
      seen.add(at);
      at = this.#skipper.get(at);
    }
    return false;
  }

  #addChain(
    kept: ReadonlyMap<string, string | undefined>,
    add: (name: string | undefined, reason: string) => void,
  ): void {
    const positions = [...kept.keys()]
      .map((name) => this.#position.get(name) ?? -1)
      .filter((position) => position !== -1);
    if (positions.length === 0) return;
    const top = Math.min(...positions);
    const end = Math.max(...positions);
    const skipped = new Set([...kept.keys()].flatMap((name) => this.#entries.get(name)!.skips));
    let isBroken = false;
    for (let at = top; at <= end; at += 1) {
      const name = this.#chain[at]!;
      const below = this.#chain.slice(at, end + 1).find((own) => kept.has(own))!;
      // Between two of the chain nothing may be missing.
      add(name, below);
      if (at === top) continue;
      // Behind one that is skipped OLM follows the chain no further: the rest has to be skipped.
      if (isBroken) add(this.#skipper.get(name), name);
      if (skipped.has(name)) isBroken = true;
    }
    // A chain that leads back into itself has to be broken before: its end has to be skipped.
    const last = this.#chain.at(-1)!;
    if (end === this.#chain.length - 1 && this.#position.has(this.#entries.get(last)!.replaces))
      add(this.#skipper.get(last), last);
    // What replaces or skips the head of the rest, be it itself, would leave it without a head.
    const head = this.#chain[top]!;
    const leads = [...kept.keys()].some((name) => {
      const { replaces, skips } = this.#entries.get(name)!;
      return replaces === head || skips.includes(head);
    });
    if (leads) add(this.#chain[top - 1], head);
  }
}

/** From the head on, as far as there are entries, each once. */
function chainOf(entries: ReadonlyMap<string, ChannelEntry>): readonly string[] {
  const behind = new Set<string>();
  for (const { replaces, skips } of entries.values()) {
    behind.add(replaces);
    for (const skip of skips) behind.add(skip);
  }
  const heads = [...entries.keys()].filter((name) => !behind.has(name));
  const chain = new Set<string>();
  if (heads.length !== 1) return [];
  for (let entry = entries.get(heads[0]!); entry !== undefined && !chain.has(entry.name);) {
    chain.add(entry.name);
    entry = entries.get(entry.replaces);
  }
  return [...chain];
}
