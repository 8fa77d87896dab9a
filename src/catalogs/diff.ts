import { compareText } from '../core/text.ts';
import { type Catalog, imagesOf, versionOf } from './catalog.ts';
import { type PackageContent, packagesOf } from './packages.ts';

/** What one catalog has that another one does not. */
export interface CatalogDifference {
  readonly added: readonly PackageSummary[];
  readonly removed: readonly PackageSummary[];
  readonly changed: readonly PackageDifference[];
  /** Images that only the newer one needs, and only the older one. */
  readonly images: { readonly added: readonly string[]; readonly removed: readonly string[] };
}

export interface PackageSummary {
  readonly name: string;
  readonly bundles: number;
}

export interface PackageDifference {
  readonly name: string;
  /** Present where it is another one. */
  readonly defaultChannel?: { readonly was: string; readonly is: string };
  readonly channels: Changes;
  /** Versions of bundles, with their names where a version says too little. */
  readonly bundles: Changes;
  /** Heads of channels that both have, where they differ. */
  readonly heads: readonly {
    readonly channel: string;
    readonly was: string;
    readonly is: string;
  }[];
}

export interface Changes {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Compares two catalogs, package by package. */
export function compareCatalogs(before: Catalog, after: Catalog): CatalogDifference {
  const [old, now] = [packagesOf(before), packagesOf(after)];
  const summary = ({ name, bundles }: PackageContent): PackageSummary => ({
    name,
    bundles: bundles.size,
  });
  const only = (
    these: ReadonlyMap<string, PackageContent>,
    those: ReadonlyMap<string, PackageContent>,
  ): readonly PackageSummary[] =>
    sorted([...these.values()].filter(({ name }) => !those.has(name)).map(summary));
  return {
    added: only(now, old),
    removed: only(old, now),
    changed: sorted(
      [...now.values()].flatMap((content) => {
        const known = old.get(content.name);
        return known === undefined ? [] : (differenceOf(known, content) ?? []);
      }),
    ),
    images: changesOf(allImages(before), allImages(after)),
  };
}

function differenceOf(old: PackageContent, now: PackageContent): PackageDifference | undefined {
  const [was, is] = [old.package.defaultChannel, now.package.defaultChannel];
  const channels = changesOf(old.channels.keys(), now.channels.keys());
  const bundles = changesOf(old.bundles.keys(), now.bundles.keys());
  const heads = [...now.channels.keys()]
    .filter((channel) => old.channels.has(channel))
    .map((channel) => ({ channel, was: headOf(old, channel), is: headOf(now, channel) }))
    .filter((head) => head.was !== head.is);
  const isSame =
    was === is &&
    heads.length === 0 &&
    [channels, bundles].every(({ added, removed }) => added.length + removed.length === 0);
  if (isSame) return undefined;
  return {
    name: now.name,
    ...(was !== is && { defaultChannel: { was, is } }),
    ...{ channels, bundles, heads },
  };
}

/** The version of a head, or its name where it has none. */
function headOf(content: PackageContent, channel: string): string {
  const { head = '' } = content.walk(channel);
  const bundle = content.bundles.get(head);
  return bundle === undefined ? head : versionOf(bundle);
}

function allImages({ bundles }: Catalog): Iterable<string> {
  return bundles.flatMap((bundle) => imagesOf(bundle));
}

function changesOf(before: Iterable<string>, after: Iterable<string>): Changes {
  const [old, now] = [new Set(before), new Set(after)];
  return {
    added: [...now].filter((name) => !old.has(name)).sort(compareText),
    removed: [...old].filter((name) => !now.has(name)).sort(compareText),
  };
}

function sorted<T extends { readonly name: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => compareText(a.name, b.name));
}
