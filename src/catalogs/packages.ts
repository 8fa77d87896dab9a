import { compareText } from '../core/text.ts';
import type {
  Catalog,
  CatalogBundle,
  CatalogChannel,
  CatalogPackage,
  ChannelEntry,
} from './catalog.ts';
import { ChannelWalk } from './filter/channel-walk.ts';
import { compareVersions, parseVersion, type Version } from './versions/version.ts';
import { versionOf } from './catalog.ts';

/** A package with what belongs to it. */
export class PackageContent {
  readonly package: CatalogPackage;
  readonly channels = new Map<string, CatalogChannel>();
  readonly bundles = new Map<string, CatalogBundle>();
  readonly #walks = new Map<string, ChannelWalk>();
  readonly #versions = new Map<string, Version | undefined>();

  constructor(from: CatalogPackage) {
    this.package = from;
  }

  get name(): string {
    return this.package.name;
  }

  /** The bundle that each channel leads to, if there is one. */
  heads(): Readonly<Record<string, string>> {
    const names = [...this.channels.keys()].sort(compareText);
    const heads = names.map((name) => [name, this.walk(name).head] as const);
    return Object.fromEntries(
      heads.flatMap(([name, head]) => (head === undefined ? [] : [[name, head]])),
    );
  }

  /** The channels that have a bundle. */
  channelsWith(bundle: string): readonly string[] {
    return [...this.channels.values()]
      .filter(({ entries }) => entries.some(({ name }) => name === bundle))
      .map(({ name }) => name)
      .sort(compareText);
  }

  /** A channel of the package, seen from its head. */
  walk(channel: string): ChannelWalk {
    const walk = this.#walks.get(channel) ?? new ChannelWalk(this.channels.get(channel)!);
    this.#walks.set(channel, walk);
    return walk;
  }

  /** The version of a bundle; `undefined` for a bundle that is not there, or has none. */
  version(bundle: string): Version | undefined {
    const own = this.bundles.get(bundle);
    if (own === undefined) return undefined;
    if (!this.#versions.has(bundle)) this.#versions.set(bundle, parseVersion(versionOf(own)));
    return this.#versions.get(bundle);
  }

  /** Entries of a channel, the highest version first; those without a version come last. */
  newestFirst(entries: readonly ChannelEntry[]): readonly ChannelEntry[] {
    return entries.toSorted(({ name: a }, { name: b }) => {
      const [left, right] = [this.version(a), this.version(b)];
      if (left === undefined || right === undefined) return left === right ? 0 : left ? -1 : 1;
      return compareVersions(right, left);
    });
  }
}

/** The packages of a catalog by their names, each with its channels and bundles. */
export function packagesOf(catalog: Catalog): ReadonlyMap<string, PackageContent> {
  const packages = new Map<string, PackageContent>();
  for (const own of catalog.packages)
    if (!packages.has(own.name)) packages.set(own.name, new PackageContent(own));
  for (const channel of catalog.channels)
    packages.get(channel.package)?.channels.set(channel.name, channel);
  for (const bundle of catalog.bundles)
    packages.get(bundle.package)?.bundles.set(bundle.name, bundle);
  return packages;
}
