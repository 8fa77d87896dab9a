import { BundleError } from '../../core/errors.ts';
import { compareText, oneLine } from '../../core/text.ts';
import { type Catalog, type CatalogBundle, type CatalogChannel, versionOf } from '../catalog.ts';
import { SHOWN_VERSION } from '../nearest.ts';
import { describeBounds, ocMirrorRange, parseBounds } from '../versions/bounds.ts';
import type { Range } from '../versions/range.ts';
import {
  compareVersions,
  parseLenientVersion,
  parseVersion,
  type Version,
} from '../versions/version.ts';
import { refuseEmpty } from './empty.ts';
import { OcMirrorChannel } from './oc-mirror-channel.ts';
import {
  boundsOf,
  type CatalogRequest,
  type PackageRequest,
  type VersionBounds,
} from './request.ts';
import type { FilterResult, KeptBundle, KeptChannel, KeptPackage, Reason } from './result.ts';

/**
 * The filter of oc-mirror v2 (4.20 and later), with its defects: catalogs that it gives may be
 * refused by OLM. It is for comparisons.
 * @throws BundleError CONFIGURATION, UNSUPPORTED_CONTENT where oc-mirror fails; NOT_FOUND for a
 * catalog that is empty
 */
export function filterAsOcMirror(catalog: Catalog, request: CatalogRequest): FilterResult {
  refuseEmpty(catalog, request);
  const selected = select(catalog, request);
  const versions = versionsOf(selected);
  const packages = selected.packages.map((from): KeptPackage => {
    const asked = request.packages.find(({ name }) => name === from.name);
    return {
      from,
      defaultChannel: asked === undefined ? from.defaultChannel : defaultOf(selected, from, asked),
    };
  });
  const kept = new Map<string, Map<string, Reason[]>>();
  const channels: KeptChannel[] = [];
  for (const channel of selected.channels) {
    const asked = request.packages.find(({ name }) => name === channel.package);
    const known = versions.get(channel.package) ?? new Map<string, Version>();
    const reasons = keptOf(channel, known, {
      full: request.full,
      bounds: boundsOf(asked, channel.name),
    });
    if (reasons.size === 0) {
      // The default channel of the original, even where another one was asked for.
      const from = selected.packages.find(({ name }) => name === channel.package);
      if (from?.defaultChannel === channel.name)
        throw emptied(channel, boundsOf(asked, channel.name));
      if (!request.full) continue;
    }
    channels.push({
      from: channel,
      entries: channel.entries.filter(({ name }) => reasons.has(name)),
    });
    const own = kept.get(channel.package) ?? new Map<string, Reason[]>();
    for (const [name, reason] of reasons) own.set(name, [...(own.get(name) ?? []), reason]);
    kept.set(channel.package, own);
  }
  return {
    packages,
    channels,
    bundles: bundlesOf(selected.bundles, kept),
    deprecations: selected.deprecations.map((from) => {
      const bundles = kept.get(from.package);
      const own = selected.channels.filter((channel) => channel.package === from.package);
      const entries = from.entries.filter(({ schema, name }) => {
        if (schema === 'olm.bundle') return bundles === undefined || bundles.has(name);
        // Channels that fell out by their range are still taken to be there.
        if (schema === 'olm.channel')
          return own.length === 0 || own.some((channel) => channel.name === name);
        return true;
      });
      return { from, entries };
    }),
    others: selected.others,
    notes: [],
  };
}

/** Packages that are named, and channels of them; everything where none is named. */
function select(catalog: Catalog, request: CatalogRequest): Catalog {
  if (request.packages.length === 0) return catalog;
  const asked = new Map(request.packages.map((own) => [own.name, own]));
  return {
    packages: catalog.packages.filter(({ name }) => asked.has(name)),
    channels: catalog.channels.filter(({ package: own, name }) => {
      const channels = asked.get(own)?.channels;
      return channels?.length === 0 || channels?.some((channel) => channel.name === name) === true;
    }),
    bundles: catalog.bundles.filter((bundle) => asked.has(bundle.package)),
    deprecations: catalog.deprecations.filter((own) => asked.has(own.package)),
    others: catalog.others.filter((own) => own.package === '' || asked.has(own.package)),
  };
}

/** One bundle with a bad version fails the whole catalog. */
function versionsOf(catalog: Catalog): ReadonlyMap<string, ReadonlyMap<string, Version>> {
  const versions = new Map<string, Map<string, Version>>();
  for (const bundle of catalog.bundles) {
    const version = parseVersion(versionOf(bundle));
    if (version === undefined)
      throw new BundleError(
        'UNSUPPORTED_CONTENT',
        `oc-mirror fails: bundle ${bundle.name} of package ${bundle.package} has no version, ` +
          `or one that is none: ${oneLine(versionOf(bundle))}`,
      );
    const own = versions.get(bundle.package) ?? new Map<string, Version>();
    versions.set(bundle.package, own.set(bundle.name, version));
  }
  return versions;
}

function defaultOf(
  selected: Catalog,
  { name, defaultChannel }: { readonly name: string; readonly defaultChannel: string },
  asked: PackageRequest,
): string {
  const wanted = asked.defaultChannel ?? defaultChannel;
  const isThere = selected.channels.some((own) => own.package === name && own.name === wanted);
  if (isThere || (wanted === '' && asked.defaultChannel === undefined)) return wanted;
  throw new BundleError(
    'CONFIGURATION',
    asked.defaultChannel === undefined
      ? `oc-mirror fails: package ${name}, channel ${wanted}: the default channel is left out, ` +
          'and no other one is named'
      : `oc-mirror fails: package ${name}, channel ${wanted}: the default channel that was asked ` +
          'for is not kept',
    { hint: 'Name a default channel that is kept, or filter with --filter strict.' },
  );
}

/** What is kept of a channel, and why. */
function keptOf(
  channel: CatalogChannel,
  versions: ReadonlyMap<string, Version>,
  { full, bounds }: { readonly full: boolean; readonly bounds: VersionBounds | undefined },
): ReadonlyMap<string, Reason> {
  const { name } = channel;
  if (full && bounds !== undefined)
    throw new BundleError(
      'CONFIGURATION',
      `oc-mirror fails: package ${channel.package}, channel ${name}: full and a range of versions`,
      { hint: 'Ask for the whole channel, or for versions of it.' },
    );
  if (full)
    return new Map(channel.entries.map((entry) => [entry.name, { type: 'all', channel: name }]));
  if (bounds === undefined) {
    const { head } = new OcMirrorChannel(channel);
    return new Map([[head, { type: 'head', channel: name }]]);
  }
  const { minVersion, maxVersion } = bounds;
  // Of the whole package, so that other channels end without an entry.
  if (minVersion !== undefined && minVersion === maxVersion)
    return new Map([[pinned(channel, versions, minVersion), { type: 'in-range', channel: name }]]);
  const range = rangeOf(channel, bounds);
  return new OcMirrorChannel(channel).keptIn(range, versions);
}

function rangeOf(channel: CatalogChannel, bounds: VersionBounds): Range {
  const parsed = parseBounds(bounds);
  if (typeof parsed !== 'string') return ocMirrorRange(parsed);
  throw new BundleError(
    'CONFIGURATION',
    `package ${channel.package}, channel ${channel.name}: ${oneLine(parsed)} is no version`,
    { hint: SHOWN_VERSION },
  );
}

/** One of the bundles with that version: of two, oc-mirror takes either. */
function pinned(
  channel: CatalogChannel,
  versions: ReadonlyMap<string, Version>,
  text: string,
): string {
  const wanted = parseLenientVersion(text);
  for (const [name, version] of versions)
    if (wanted !== undefined && compareVersions(version, wanted) === 0) return name;
  throw new BundleError(
    'CONFIGURATION',
    `oc-mirror fails: package ${channel.package}, channel ${channel.name}: no bundle has version ` +
      oneLine(text),
    { hint: SHOWN_VERSION },
  );
}

function bundlesOf(
  bundles: readonly CatalogBundle[],
  kept: ReadonlyMap<string, ReadonlyMap<string, readonly Reason[]>>,
): readonly KeptBundle[] {
  const found = new Map<string, KeptBundle>();
  for (const bundle of bundles) {
    const reasons = kept.get(bundle.package)?.get(bundle.name);
    const key = JSON.stringify([bundle.package, bundle.name]);
    if (reasons !== undefined && !found.has(key)) found.set(key, { bundle, reasons });
  }
  return [...found.values()].sort(
    ({ bundle: a }, { bundle: b }) =>
      compareText(a.package, b.package) || compareText(a.name, b.name),
  );
}

function emptied(channel: CatalogChannel, bounds: VersionBounds | undefined): BundleError {
  return new BundleError(
    'CONFIGURATION',
    `oc-mirror fails: package ${channel.package}, channel ${channel.name}: nothing of the default ` +
      `channel is in range (${describeBounds(bounds ?? {})})`,
    { hint: 'Name channels, each with its range, or filter with --filter strict.' },
  );
}
