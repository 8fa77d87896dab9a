import { type Digest, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { isObject, type Json } from '../../core/json.ts';
import { oneLine, shownUrl } from '../../core/text.ts';
import { compareVersions } from '../../updates/version-order.ts';
import { yamlValue } from './yaml-value.ts';

/** A version of a chart that a classic repository offers. */
export interface OfferedChart {
  readonly name: string;
  readonly version: string;
  /** Where its archive is. */
  readonly url: string;
  /** Of the archive, if the repository states it. */
  readonly digest: Digest | undefined;
  readonly isLibrary: boolean;
}

/** The charts of a repository, by name, the newest version first. */
export type ChartIndex = ReadonlyMap<string, readonly OfferedChart[]>;

/**
 * Reads the `index.yaml` of a chart repository.
 * @param base URL of the repository, which relative URLs are relative to.
 * @throws BundleError UNSUPPORTED_CONTENT for what is no index.
 */
export function readChartIndex(bytes: Uint8Array, base: string): ChartIndex {
  const what = `index.yaml of ${shownUrl(base)}`;
  const index = yamlValue(bytes, what);
  const entries = isObject(index) ? index['entries'] : undefined;
  if (!isObject(entries)) {
    throw new BundleError('UNSUPPORTED_CONTENT', `${what} has no entries`, {
      hint: 'Check the URL of the chart repository.',
    });
  }
  const charts = new Map<string, readonly OfferedChart[]>();
  for (const [name, versions] of Object.entries(entries)) {
    const list = Array.isArray(versions) ? (versions as readonly Json[]) : [];
    const offered = list.flatMap((entry) => offerOf(name, entry, base));
    charts.set(
      name,
      offered.toSorted((a, b) => compareVersions(bare(b.version), bare(a.version))),
    );
  }
  return charts;
}

/**
 * The version of a chart that was asked for; without one the newest that is no prerelease, as Helm
 * has it.
 * @throws BundleError NOT_FOUND with the nearest names, or the versions that there are.
 */
export function chooseChart(
  index: ChartIndex,
  { name, version, repository }: ChartWish,
): OfferedChart {
  const offered = index.get(name) ?? [];
  const chosen =
    version === undefined
      ? (offered.find((chart) => !bare(chart.version).includes('-')) ?? offered[0])
      : offered.find((chart) => bare(chart.version) === bare(version));
  if (chosen !== undefined) return chosen;
  const where = shownUrl(repository);
  const isThere = offered.length > 0;
  throw new BundleError(
    'NOT_FOUND',
    isThere
      ? `${where} has no version ${oneLine(version ?? '', 60)} of the chart ${name}`
      : `${where} has no chart ${oneLine(name, 100)}`,
    {
      hint: isThere
        ? `It has ${shortList(offered.map((chart) => chart.version))}.`
        : `It has ${shortList([...index.keys()].sort())}.`,
    },
  );
}

/** What was asked for. */
export interface ChartWish {
  readonly name: string;
  readonly version?: string | undefined;
  readonly repository: string;
}

/** As many names as fit into two lines. */
const SHOWN = 10;

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).map((name) => oneLine(name, 60));
  const rest = names.length - shown.length;
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ');
}

function offerOf(name: string, entry: Json, base: string): readonly OfferedChart[] {
  if (!isObject(entry)) return [];
  const { version, urls, digest, type } = entry;
  const [first] = Array.isArray(urls) ? (urls as readonly Json[]) : [];
  if (typeof version !== 'string' || typeof first !== 'string') return [];
  const url = URL.canParse(first, withSlash(base)) ? new URL(first, withSlash(base)).href : first;
  const isSha256 = typeof digest === 'string' && /^(?:sha256:)?[0-9a-f]{64}$/.test(digest);
  return [
    {
      ...{ name, version, url, isLibrary: type === 'library' },
      digest: isSha256 ? parseDigest(`sha256:${digest.replace(/^sha256:/, '')}`) : undefined,
    },
  ];
}

/** A relative URL is in the folder that the index is in. */
function withSlash(base: string): string {
  return base.endsWith('/') ? base : `${base}/`;
}

/** Versions may begin with a v. */
function bare(version: string): string {
  return version.replace(/^v/, '');
}
