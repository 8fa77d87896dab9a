import { BundleError } from '../../core/errors.ts';

import { few, oneLine } from '../../core/text.ts';
import { type Catalog, versionOf } from '../catalog.ts';
import { checkCatalog } from '../check/check.ts';
import { objectOf } from '../check/finding.ts';
import { nearestHint, SHOWN_VERSION, thereHint } from '../nearest.ts';
import { type PackageContent, packagesOf } from '../packages.ts';
import {
  describeBounds,
  meantRange,
  ocMirrorRange,
  type ParsedBounds,
  parseBounds,
} from '../versions/bounds.ts';
import { formatVersion, parseVersion } from '../versions/version.ts';
import { addDependencies } from './add-dependencies.ts';
import {
  boundsOf,
  type CatalogRequest,
  type PackageRequest,
  type VersionBounds,
} from './request.ts';
import { refuseEmpty } from './empty.ts';
import { asCatalog, type FilterNote, type FilterResult, type Reason } from './result.ts';
import { Selection } from './selection.ts';
import {
  type SkipBundles,
  type SkippedBundle,
  type WithoutBundles,
  withoutBundles,
} from './skip-bundles.ts';

export interface StrictOptions {
  /** Packages, channels and versions that the catalog does not have are left out, and noted. */
  readonly allowMissing?: boolean;
  /** What kept bundles require is kept, too, as far as the catalog has it from one package. */
  readonly withDependencies?: boolean;
  /** Bundles that are taken not to be there, each with the reason. */
  readonly skipBundles?: Readonly<Record<string, string>>;
}

/**
 * Keeps of a catalog what a request asks for, so that OLM can serve it: channels that keep an
 * entry, each with one head that all updates lead to; a default channel that is there; no
 * deprecation of what is gone.
 * @throws BundleError NOT_FOUND for what the catalog does not have; CONFIGURATION for a request
 * that nothing can match; UNSUPPORTED_CONTENT where the catalog itself is refused by OLM
 */
export function filterStrictly(
  given: Catalog,
  request: CatalogRequest,
  { allowMissing = false, withDependencies = false, skipBundles = {} }: StrictOptions = {},
): FilterResult {
  const skips: SkipBundles = new Map(Object.entries(skipBundles));
  const without = withoutBundles(given, skips);
  const { catalog } = without;
  refuseEmpty(given, request);
  const packages = packagesOf(catalog);
  const selection = new Selection(packages);
  const notes: FilterNote[] = [];
  const missing = (error: BundleError, note: FilterNote): void => {
    if (!allowMissing) throw error;
    notes.push(note);
  };
  const context = { selection, full: request.full, notes, missing };
  if (request.packages.length === 0)
    for (const content of packages.values()) keepPackage(content, undefined, context);
  for (const asked of request.packages) {
    const content = packages.get(asked.name);
    if (without.emptyPackages.includes(asked.name)) throw nothingLeft(asked.name, skips);
    if (content !== undefined) keepPackage(content, asked, context);
    else
      missing(noPackage(asked.name, packages), {
        type: 'package-missing',
        package: asked.name,
        why: 'the catalog does not have it',
      });
  }
  if (withDependencies) addDependencies(selection, packages);
  notes.push(...skipNotes(without, request));
  const found = selection.result(catalog, notes);
  const channels = found.channels.map(({ from, entries }) => ({
    from: without.from(from),
    entries,
  }));
  const result = { ...found, channels };
  refuseFindings(result);
  return result;
}

/** What goes with bundles that are left out, as far as it was asked for. */
function skipNotes(without: WithoutBundles, request: CatalogRequest): readonly FilterNote[] {
  const { skipped, emptyChannels, unknown } = without;
  const asked = (name: string): PackageRequest | undefined =>
    request.packages.find((own) => own.name === name);
  const isAsked = (name: string): boolean =>
    request.packages.length === 0 || asked(name) !== undefined;
  const isTold = ({ package: own, bundle, channel }: SkippedBundle): boolean => {
    if (channel === undefined) return true;
    if (!isAsked(own)) return false;
    if (request.full) return true;
    const bounds = boundsOf(asked(own), channel);
    const version = parseVersion(without.versionOf(own, bundle));
    if (bounds === undefined || version === undefined) return false;
    return meantRange(parsedBounds(`package ${own}, channel ${channel}`, bounds))(version);
  };
  const told = new Map(
    skipped
      .filter(isTold)
      .map(({ package: own, bundle, cause }) => [
        JSON.stringify([own, bundle]),
        { type: 'bundle-skipped', package: own, bundle, cause } as const,
      ]),
  );
  const why = 'nothing is left of it';
  return [
    ...told.values(),
    ...emptyChannels
      .filter((channel) => isAsked(channel.package))
      .map(
        ({ package: own, name }) =>
          ({ type: 'channel-dropped', package: own, channel: name, why }) as const,
      ),
    ...unknown.map((bundle) => ({ type: 'skip-unknown', bundle }) as const),
  ];
}

interface Context {
  readonly selection: Selection;
  readonly full: boolean;
  readonly notes: FilterNote[];
  readonly missing: (error: BundleError, note: FilterNote) => void;
}

function keepPackage(
  content: PackageContent,
  asked: PackageRequest | undefined,
  { selection, full, notes, missing }: Context,
): void {
  const channels = channelsOf(content, asked, missing);
  for (const channel of channels) {
    const wanted = wantedOf(content, channel, { full, bounds: boundsOf(asked, channel), notes });
    if (wanted.size > 0) selection.keep(content, channel, wanted);
    else notes.push({ type: 'channel-dropped', package: content.name, channel });
  }
  if (selection.channelsOf(content.name).length === 0) {
    if (channels.length > 0)
      missing(nothingInRange(content, asked), {
        type: 'package-missing',
        package: content.name,
        why: 'no version is in range',
      });
    return;
  }
  const wanted = asked?.defaultChannel;
  if (wanted === undefined) return;
  if (!content.channels.has(wanted))
    missing(noChannel(content, wanted), {
      type: 'channel-missing',
      package: content.name,
      channel: wanted,
    });
  else if (selection.hasChannel(content.name, wanted)) selection.want(content.name, wanted);
  else throw emptyDefault(content, wanted, selection);
}

/** The channels that are asked for and there; all of the package where none is named. */
function channelsOf(
  content: PackageContent,
  asked: PackageRequest | undefined,
  missing: Context['missing'],
): readonly string[] {
  if (asked === undefined || asked.channels.length === 0) return [...content.channels.keys()];
  return asked.channels.flatMap(({ name }) => {
    if (content.channels.has(name)) return [name];
    missing(noChannel(content, name), {
      type: 'channel-missing',
      package: content.name,
      channel: name,
    });
    return [];
  });
}

/** The entries of a channel that are asked for themselves. */
function wantedOf(
  content: PackageContent,
  channel: string,
  {
    full,
    bounds,
    notes,
  }: { full: boolean; bounds: VersionBounds | undefined; notes: FilterNote[] },
): ReadonlyMap<string, Reason> {
  const { entries } = content.channels.get(channel)!;
  const what = `package ${content.name}, channel ${channel}`;
  if (full) {
    if (bounds === undefined)
      return new Map(entries.map(({ name }) => [name, { type: 'all', channel }]));
    throw new BundleError('CONFIGURATION', `${what}: full and a range of versions`, {
      hint: 'full keeps every version. Take out full, or the range.',
    });
  }
  const { head } = content.walk(channel);
  if (head === undefined) {
    if (entries.length === 0) return new Map();
    throw new BundleError('UNSUPPORTED_CONTENT', `${what}: it has no head, or more than one`, {
      expected: 'one entry that no other one replaces or skips',
      hint: 'OLM refuses this catalog. bundle catalog check says all that is wrong with it.',
    });
  }
  if (bounds === undefined) return new Map([[head, { type: 'head', channel }]]);
  const parsed = parsedBounds(what, bounds);
  const range = meantRange(parsed);
  const left = ocMirrorRange(parsed);
  const found = entries.filter(({ name }) => {
    const version = content.version(name);
    const bundle = content.bundles.get(name);
    if (version === undefined && bundle !== undefined)
      throw noVersion(what, name, versionOf(bundle));
    return version !== undefined && range(version);
  });
  const versions = found.map(({ name }) => content.version(name)!);
  const gained = versions.filter((version) => !left(version)).map(formatVersion);
  if (gained.length > 0)
    notes.push({ type: 'prereleases', package: content.name, versions: gained });
  return new Map(found.map(({ name }) => [name, { type: 'in-range', channel }]));
}

function parsedBounds(what: string, bounds: VersionBounds): ParsedBounds {
  const parsed = parseBounds(bounds);
  if (typeof parsed === 'string')
    throw new BundleError('CONFIGURATION', `${what}: ${oneLine(parsed)} is no version`, {
      expected: 'a version, as in 1.2.3, 1.2 or 1.2.3-5',
      got: oneLine(parsed),
      hint: SHOWN_VERSION,
    });
  const { min, max } = parsed;
  if (min === undefined || max === undefined) return parsed;
  const lowest = min.pre.length === 0 ? { ...min, pre: ['0'] } : min;
  if (meantRange(parsed)(lowest)) return parsed;
  throw new BundleError(
    'CONFIGURATION',
    `${what}: minVersion ${formatVersion(min)} is above maxVersion ${formatVersion(max)}`,
    { hint: 'Nothing can be in that range. Exchange the two.' },
  );
}

function nothingLeft(name: string, skips: SkipBundles): BundleError {
  const which = few([...skips.keys()]).join(', ');
  return new BundleError('CONFIGURATION', `package ${name} has no version without ${which}`, {
    subject: name,
    hint: 'Leave the package out, or fewer of its bundles.',
  });
}

function noPackage(name: string, packages: ReadonlyMap<string, PackageContent>): BundleError {
  return notFound(`the catalog has no package ${oneLine(name)}`, name, packages.keys());
}

function noChannel(content: PackageContent, name: string): BundleError {
  const what = `package ${content.name} has no channel ${oneLine(name)}`;
  return notFound(what, name, content.channels.keys());
}

function notFound(message: string, name: string, names: Iterable<string>): BundleError {
  return new BundleError('NOT_FOUND', message, {
    subject: name,
    hint: `${nearestHint(name, names)} With --allow-missing it is left out.`,
  });
}

function nothingInRange(content: PackageContent, asked: PackageRequest | undefined): BundleError {
  const bounds = [asked, ...(asked?.channels ?? [])].find(
    (own) => own?.minVersion !== undefined || own?.maxVersion !== undefined,
  );
  const entries = [...content.channels.values()].flatMap((channel) => channel.entries);
  const versions = content
    .newestFirst(entries)
    .flatMap(({ name }) => content.version(name) ?? [])
    .map(formatVersion);
  return new BundleError(
    'NOT_FOUND',
    `package ${content.name} has no version in range: ${describeBounds(bounds ?? {})}`,
    {
      subject: content.name,
      hint:
        `${thereHint([...new Set(versions)])} ` + 'With --allow-missing the package is left out.',
    },
  );
}

function emptyDefault(content: PackageContent, wanted: string, selection: Selection): BundleError {
  const keeping = selection.channelsOf(content.name);
  return new BundleError(
    'CONFIGURATION',
    `package ${content.name}: the default channel ${wanted} keeps no version`,
    {
      hint:
        keeping.length === 0
          ? 'No other channel keeps one either. Ask for other versions.'
          : `These channels keep some: ${few(keeping).join(', ')}. Name one of them, or none: then ` +
            'the one with the highest version is taken.',
    },
  );
}

function noVersion(what: string, bundle: string, version: string): BundleError {
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `${what}: bundle ${bundle} has a version that is none: ${oneLine(version)}`,
    {
      subject: bundle,
      hint: 'OLM refuses this catalog. bundle catalog check says all that is wrong with it.',
    },
  );
}

/** What is wrong with the result was wrong with the catalog before. */
function refuseFindings(result: FilterResult): void {
  const findings = checkCatalog(asCatalog(result));
  const [first] = findings;
  if (first === undefined) return;
  const way =
    first.bundle === undefined
      ? 'Leave the package out, or'
      : `Go on without the bundle with --skip-bundle ${first.bundle}, leave the package out, or`;
  const more = findings.length === 1 ? '' : `, and ${findings.length - 1} more`;
  throw new BundleError(
    'UNSUPPORTED_CONTENT',
    `OLM would refuse the catalog: ${objectOf(first)} ${first.message}${more}`,
    {
      subject: first.package,
      hint:
        'It is so in the catalog that was given: bundle catalog check says all that is wrong ' +
        `with it. ${way} take the catalog from its publisher again.`,
    },
  );
}
