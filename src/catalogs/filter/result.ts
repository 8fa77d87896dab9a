import type {
  Catalog,
  CatalogBundle,
  CatalogChannel,
  CatalogDeprecations,
  CatalogPackage,
  ChannelEntry,
  Deprecation,
  OtherDocument,
} from '../catalog.ts';

/** What a filter keeps of a catalog: documents of it, some with fewer entries. */
export interface FilterResult {
  readonly packages: readonly KeptPackage[];
  readonly channels: readonly KeptChannel[];
  readonly bundles: readonly KeptBundle[];
  readonly deprecations: readonly KeptDeprecations[];
  readonly others: readonly OtherDocument[];
  /** What somebody has to know who expects what the request says. */
  readonly notes: readonly FilterNote[];
}

export interface KeptPackage {
  readonly from: CatalogPackage;
  readonly defaultChannel: string;
}

export interface KeptChannel {
  readonly from: CatalogChannel;
  readonly entries: readonly ChannelEntry[];
}

export interface KeptBundle {
  readonly bundle: CatalogBundle;
  /** Never empty. */
  readonly reasons: readonly Reason[];
}

export interface KeptDeprecations {
  readonly from: CatalogDeprecations;
  readonly entries: readonly Deprecation[];
}

/** Why a bundle is kept. */
export type Reason =
  | { readonly type: 'head'; readonly channel: string }
  | { readonly type: 'in-range'; readonly channel: string }
  /** Updates between others lead through it, or begin at it. */
  | { readonly type: 'links'; readonly channel: string; readonly version: string }
  | { readonly type: 'all'; readonly channel: string }
  | { readonly type: 'required'; readonly by: string };

/** A reason in words: `head of stable`. */
export function describeReason(reason: Reason): string {
  switch (reason.type) {
    case 'head':
      return `head of ${reason.channel}`;
    case 'in-range':
      return 'in range';
    case 'links':
      return `links ${reason.version}`;
    case 'all':
      return `all of ${reason.channel}`;
    case 'required':
      return `required by ${reason.by}`;
  }
}

export type FilterNote =
  | {
      readonly type: 'default-channel';
      readonly package: string;
      readonly was: string;
      readonly is: string;
    }
  /** Nothing of a channel is in range, or what `why` says. */
  | {
      readonly type: 'channel-dropped';
      readonly package: string;
      readonly channel: string;
      readonly why?: string;
    }
  /** A bundle that is left out by name, or with one that is. */
  | {
      readonly type: 'bundle-skipped';
      readonly package: string;
      readonly bundle: string;
      readonly cause: string;
    }
  /** A bundle that was to be left out, and is not there. */
  | { readonly type: 'skip-unknown'; readonly bundle: string }
  | { readonly type: 'package-missing'; readonly package: string; readonly why: string }
  | { readonly type: 'channel-missing'; readonly package: string; readonly channel: string }
  /** Versions that count as prereleases for oc-mirror, so that it would leave them out. */
  | {
      readonly type: 'prereleases';
      readonly package: string;
      readonly versions: readonly string[];
    };

/** The result as a catalog of its own. */
export function asCatalog(result: FilterResult): Catalog {
  return {
    packages: result.packages.map(({ from, defaultChannel }) => ({ ...from, defaultChannel })),
    channels: result.channels.map(({ from, entries }) => ({ ...from, entries })),
    bundles: result.bundles.map(({ bundle }) => bundle),
    deprecations: result.deprecations.map(({ from, entries }) => ({ ...from, entries })),
    others: result.others,
  };
}
