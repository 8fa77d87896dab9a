import { compareText } from '../../core/text.ts';
import { type Catalog, type CatalogChannel, type ChannelEntry, versionOf } from '../catalog.ts';
import { compareVersions, parseVersion } from '../versions/version.ts';

/**
 * Bundles that a site goes without, each with the reason: by name, or by `PACKAGE/NAME` where no
 * other package is meant that has one of that name.
 */
export type SkipBundles = ReadonlyMap<string, string>;

/** A bundle that is not there any more. */
export interface SkippedBundle {
  readonly package: string;
  readonly bundle: string;
  readonly cause: string;
  /** The channel that lost it with a bundle that was named; left out for that bundle itself. */
  readonly channel?: string;
}

export interface WithoutBundles {
  /** Its channels keep their documents: `from` leads back to the channel as it was. */
  readonly catalog: Catalog;
  readonly from: (channel: CatalogChannel) => CatalogChannel;
  readonly skipped: readonly SkippedBundle[];
  /** Channels and packages of which nothing is left. */
  readonly emptyChannels: readonly CatalogChannel[];
  readonly emptyPackages: readonly string[];
  /** Names that no bundle has. */
  readonly unknown: readonly string[];
  /** The version of a bundle of the catalog as it was; empty where it has none. */
  readonly versionOf: (ofPackage: string, bundle: string) => string;
}

/**
 * The catalog as if its publisher had not made some bundles. No update is invented: versions from
 * which updates led only over such a bundle go with it, so that every channel that is left has one
 * head that all updates lead to.
 */
export function withoutBundles(catalog: Catalog, skips: SkipBundles): WithoutBundles {
  const originals = new Map<CatalogChannel, CatalogChannel>();
  const known = new Set(
    catalog.bundles.flatMap(({ package: own, name }) => [name, qualified(own, name)]),
  );
  const causeOf = (own: string, name: string): string | undefined =>
    skips.get(qualified(own, name)) ?? skips.get(name);
  const skipped: SkippedBundle[] = catalog.bundles.flatMap(({ package: own, name }) => {
    const cause = causeOf(own, name);
    return cause === undefined ? [] : { package: own, bundle: name, cause };
  });
  const channels = catalog.channels.map((channel) => {
    const repaired = new RepairedChannel(channel, catalog, skips);
    if (!repaired.isChanged) return channel;
    const { cause } = repaired;
    for (const bundle of repaired.lost)
      skipped.push({ package: channel.package, bundle, cause, channel: channel.name });
    const changed = { ...channel, entries: repaired.entries };
    originals.set(changed, channel);
    return changed;
  });
  const left = channels.filter(({ entries }) => entries.length > 0);
  const emptyChannels = channels.filter((own) => originals.has(own) && !left.includes(own));
  const isLeft = (name: string): boolean => left.some((channel) => channel.package === name);
  const emptyPackages = [...new Set(emptyChannels.map((channel) => channel.package))].filter(
    (name) => !isLeft(name),
  );
  const inChannels = new Set(
    left.flatMap((own) => own.entries.map(({ name }) => qualified(own.package, name))),
  );
  const isGone = (own: string, name: string): boolean =>
    causeOf(own, name) !== undefined ||
    (skipped.some(({ package: of, bundle }) => of === own && bundle === name) &&
      !inChannels.has(qualified(own, name)));
  return {
    catalog: {
      ...catalog,
      packages: catalog.packages.filter(({ name }) => !emptyPackages.includes(name)),
      channels: channels.filter((own) => !emptyChannels.includes(own)),
      bundles: catalog.bundles.filter(
        ({ package: own, name }) => !emptyPackages.includes(own) && !isGone(own, name),
      ),
    },
    from: (channel) => originals.get(channel) ?? channel,
    skipped,
    ...{ emptyChannels, emptyPackages },
    versionOf: (ofPackage, bundle) => {
      const found = catalog.bundles.find((own) => own.package === ofPackage && own.name === bundle);
      return found === undefined ? '' : versionOf(found);
    },
    unknown: [...skips.keys()].filter((name) => !known.has(name)).sort(compareText),
  };
}

function qualified(ofPackage: string, bundle: string): string {
  return `${ofPackage}/${bundle}`;
}

/** A channel without some of its entries, and without those that are nothing without them. */
class RepairedChannel {
  readonly isChanged: boolean;
  readonly cause: string;
  entries: readonly ChannelEntry[];
  readonly lost: string[] = [];
  readonly #channel: CatalogChannel;
  readonly #catalog: Catalog;

  constructor(channel: CatalogChannel, catalog: Catalog, skips: SkipBundles) {
    const isSkipped = ({ name }: ChannelEntry): boolean =>
      skips.has(name) || skips.has(qualified(channel.package, name));
    const gone = channel.entries.filter(isSkipped).map(({ name }) => name);
    this.#channel = channel;
    this.#catalog = catalog;
    this.isChanged = gone.length > 0;
    this.cause = `updates from it led over ${gone.sort(compareText).join(' or ')}`;
    this.entries = channel.entries.filter((entry) => !isSkipped(entry));
    if (this.isChanged) while (this.#dropOthers());
  }

  /** @returns whether there was something to drop. */
  #dropOthers(): boolean {
    const behind = new Set(this.entries.flatMap(({ replaces, skips }) => [replaces, ...skips]));
    const heads = this.entries.filter(({ name }) => !behind.has(name));
    // A circle without a head was there before: OLM refuses it, and the filter says so.
    if (heads.length === 0) return false;
    const head = heads.length === 1 ? heads[0]! : this.#successor(heads);
    const reached = this.#reachedFrom(head);
    const dropped = this.entries.filter(({ name }) => !reached.has(name) && !this.#isSkipped(name));
    if (dropped.length === 0) return false;
    this.lost.push(...dropped.map(({ name }) => name));
    this.entries = this.entries.filter((entry) => !dropped.includes(entry));
    return true;
  }

  #isSkipped(name: string): boolean {
    return this.entries.some(({ skips }) => skips.includes(name));
  }

  /** As OLM follows a chain: not over an entry that another one skips. */
  #reachedFrom(head: ChannelEntry): ReadonlySet<string> {
    const byName = new Map(this.entries.map((entry) => [entry.name, entry]));
    const reached = new Set<string>();
    for (let entry: ChannelEntry | undefined = head; entry !== undefined;) {
      if (reached.has(entry.name) || (entry !== head && this.#isSkipped(entry.name))) break;
      reached.add(entry.name);
      entry = byName.get(entry.replaces);
    }
    return reached;
  }

  /** The head that takes the place of the old one: what that replaced, else the newest. */
  #successor(heads: readonly ChannelEntry[]): ChannelEntry {
    const { entries } = this.#channel;
    const behind = new Set(entries.flatMap(({ replaces, skips }) => [replaces, ...skips]));
    const seen = new Set<string>();
    for (let at = entries.find(({ name }) => !behind.has(name)); at !== undefined;) {
      const { name, replaces } = at;
      const own = heads.find((head) => head.name === name);
      if (own !== undefined) return own;
      if (seen.has(name)) break;
      seen.add(name);
      at = entries.find((entry) => entry.name === replaces);
    }
    return heads.toSorted((a, b) => this.#compare(b.name, a.name))[0]!;
  }

  #compare(a: string, b: string): number {
    const [left, right] = [a, b].map((name) => {
      const of = this.#channel.package;
      const own = this.#catalog.bundles.find((each) => each.package === of && each.name === name);
      return own === undefined ? undefined : parseVersion(versionOf(own));
    });
    if (left === undefined || right === undefined) return compareText(a, b);
    return compareVersions(left, right);
  }
}
