import type { Catalog, CatalogChannel } from '../catalog.ts';
import { checkBundle } from './bundle.ts';
import { checkChannelGraph } from './channel-graph.ts';
import { checkDeprecations } from './deprecations.ts';
import type { Finding } from './finding.ts';

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * All reasons why `opm serve` would refuse a catalog, and with it all of its operators. It finds
 * what `opm validate` finds; that one stops at the first, this finds all.
 */
export function checkCatalog(catalog: Catalog): readonly Finding[] {
  const findings: Finding[] = [];
  const packages = new Set<string>();
  for (const { name } of catalog.packages) {
    if (packages.has(name))
      findings.push({ rule: 'package-twice', package: name, message: 'is there twice' });
    else if (!LABEL.test(name))
      findings.push({
        rule: 'package-name',
        package: name,
        message:
          name === ''
            ? 'has no name'
            : 'has a name that is none: lower-case letters, digits and dashes, at most 63',
      });
    packages.add(name);
  }
  const channels = checkChannels(catalog, packages, findings);
  checkBundles(catalog, { packages, channels, findings });
  checkPackages(catalog, channels, findings);
  findings.push(...checkDeprecations(catalog, packages, channels));
  return findings;
}

type Channels = ReadonlyMap<string, ReadonlyMap<string, CatalogChannel>>;

function checkChannels(
  catalog: Catalog,
  packages: ReadonlySet<string>,
  findings: Finding[],
): Channels {
  const channels = new Map<string, Map<string, CatalogChannel>>();
  for (const channel of catalog.channels) {
    const about = { package: channel.package, channel: channel.name };
    const own = channels.get(channel.package) ?? new Map<string, CatalogChannel>();
    if (!packages.has(channel.package))
      findings.push({
        rule: 'package-unknown',
        ...about,
        message: 'is of no package that is there',
      });
    else if (channel.name === '')
      findings.push({ rule: 'channel-name', ...about, message: 'has no name' });
    else if (own.has(channel.name))
      findings.push({ rule: 'channel-twice', ...about, message: 'is there twice' });
    else {
      own.set(channel.name, channel);
      channels.set(channel.package, own);
      for (const finding of checkChannelGraph(channel)) findings.push({ ...about, ...finding });
    }
  }
  return channels;
}

interface Context {
  readonly packages: ReadonlySet<string>;
  readonly channels: Channels;
  readonly findings: Finding[];
}

function checkBundles(catalog: Catalog, { packages, channels, findings }: Context): void {
  const seen = new Map<string, Set<string>>();
  const entered = new Map<string, Set<string>>();
  for (const [name, own] of channels)
    entered.set(
      name,
      new Set([...own.values()].flatMap(({ entries }) => entries.map((e) => e.name))),
    );
  for (const bundle of catalog.bundles) {
    const about = { package: bundle.package, bundle: bundle.name };
    if (!packages.has(bundle.package)) {
      findings.push({
        rule: 'package-unknown',
        ...about,
        message: 'is of no package that is there',
      });
      continue;
    }
    const names = seen.get(bundle.package) ?? new Set<string>();
    seen.set(bundle.package, names);
    if (names.has(bundle.name))
      findings.push({ rule: 'bundle-twice', ...about, message: 'is there twice' });
    names.add(bundle.name);
    for (const finding of checkBundle(bundle)) findings.push({ ...about, ...finding });
    if (entered.get(bundle.package)?.has(bundle.name) !== true)
      findings.push({
        rule: 'bundle-in-no-channel',
        ...about,
        message: 'is an entry of no channel',
      });
  }
  for (const [ofPackage, own] of channels)
    for (const [channel, { entries }] of own)
      for (const { name } of entries)
        if (seen.get(ofPackage)?.has(name) !== true)
          findings.push({
            rule: 'entry-without-bundle',
            package: ofPackage,
            channel,
            bundle: name,
            message: 'is an entry, but there is no olm.bundle of that name',
          });
  checkVersions(catalog, findings);
}

/** Versions are compared as texts: those that differ only in build metadata are two. */
function checkVersions(catalog: Catalog, findings: Finding[]): void {
  const versions = new Map<string, Map<string, Set<string>>>();
  for (const { package: ofPackage, name, versions: own } of catalog.bundles) {
    const [first] = own;
    if (first === undefined || own.length > 1) continue;
    const text = first.release === '' ? first.version : `${first.version}-${first.release}`;
    const known = versions.get(ofPackage) ?? new Map<string, Set<string>>();
    versions.set(ofPackage, known.set(text, (known.get(text) ?? new Set()).add(name)));
  }
  for (const [ofPackage, known] of versions)
    for (const [version, names] of known)
      if (names.size > 1)
        findings.push({
          rule: 'version-twice',
          package: ofPackage,
          message: `has version ${version} more than once: ${[...names].sort().join(', ')}`,
        });
}

function checkPackages(catalog: Catalog, channels: Channels, findings: Finding[]): void {
  for (const { name, defaultChannel } of catalog.packages) {
    const own = channels.get(name);
    const told = (message: string): void => {
      findings.push({ rule: 'default-channel', package: name, message });
    };
    if (own === undefined)
      findings.push({ rule: 'channel-empty', package: name, message: 'has no channel' });
    if (defaultChannel === '') told('has no default channel');
    else if (own?.has(defaultChannel) !== true)
      findings.push({
        rule: 'default-channel',
        package: name,
        channel: defaultChannel,
        message: 'is the default channel, and is not there',
      });
  }
}
