import { BundleError } from '../core/errors.ts';
import type {
  ImageSet,
  OperatorSet,
  PlatformSet,
  ReleaseChannel,
  RepositoryChart,
} from '../image-sets/image-set.ts';
import { namesOf } from '../image-sets/images.ts';
import { architectureOfOci, parseArchitecture } from '../kinds/release/architecture.ts';
import { compareVersions } from '../updates/version-order.ts';
import { type PushedPart, versionOf } from './pushed.ts';

/** Parts of one kind, and what of them something in the file means. */
interface Wanted {
  readonly line: number;
  readonly what: string;
  readonly kind: string;
  readonly fits: (part: PushedPart) => boolean;
}

/**
 * The keys of the parts that a DeleteImageSetConfiguration lists: these go, everything else stays.
 * @param file its name, for messages.
 * @throws BundleError CONFIGURATION for what cannot be settled without the graph of updates, or
 * names less than a part; NOT_FOUND for what fits nothing that was pushed
 */
export function listedParts(
  parts: readonly PushedPart[],
  set: ImageSet,
  file: string,
): ReadonlySet<string> {
  if (set.kind !== 'DeleteImageSetConfiguration') {
    throw new BundleError('CONFIGURATION', `${file} is of the kind ${set.kind}`, {
      expected: 'DeleteImageSetConfiguration',
      hint: 'It lists what is wanted. What is to go is listed under delete: in a file of its own.',
    });
  }
  const wanted: readonly Wanted[] = [
    ...(set.platform === undefined ? [] : platformParts(set.platform, file)),
    ...set.operators.map((operators) => catalogParts(operators, file)),
    ...set.images.map((image): Wanted => {
      const names = namesOf(image);
      const fits = ({ names: own, claim }: PushedPart): boolean =>
        names.some((name) => own.includes(name) || name === targetIn(claim));
      return { line: image.line, what: image.name, kind: 'image', fits };
    }),
    ...set.charts.repositories.flatMap(({ line, name, charts }) =>
      charts.length === 0
        ? [refuseWhole(file, line, name)]
        : charts.map((chart) => chartParts(chart)),
    ),
    ...set.charts.local.map(chartParts),
  ];
  const going = new Set<string>();
  for (const { line, what, kind, fits } of wanted) {
    const found = parts.filter((part) => part.kind === kind && fits(part));
    if (found.length === 0) throw nothingFits(file, line, what, parts);
    for (const { key } of found) going.add(key);
  }
  return going;
}

function platformParts(
  { line, graph, channels, architectures, release }: PlatformSet,
  file: string,
): readonly Wanted[] {
  const named = architectures.length === 0 ? ['amd64'] : architectures;
  const words = named.map((word) => architectureOfOci(word) ?? parseArchitecture(word));
  const ofArchitecture = ({ claim }: PushedPart): boolean =>
    words.some((word) => word === claim['architecture']);
  return [
    ...(graph ? [{ line, what: 'the update graph', kind: 'graph', fits: () => true }] : []),
    ...(release === undefined ? [] : [oneRelease(line, release)]),
    ...channels.map((channel): Wanted => {
      const fits = inChannel(channel, file);
      const what = `${channel.name} for ${named.join(', ')}`;
      return {
        ...{ line: channel.line, what, kind: 'release' },
        fits: (part) => ofArchitecture(part) && fits(versionOf(part)),
      };
    }),
  ];
}

function oneRelease(line: number, release: string): Wanted {
  const [digest] = /sha256:[0-9a-f]{64}$/.exec(release) ?? [];
  const [, tag] = /:([^:/@]+)$/.exec(release) ?? [];
  const fits = ({ names, claim }: PushedPart): boolean =>
    claim['reference'] === release || names.includes(digest ?? tag ?? release);
  return { line, what: release, kind: 'release', fits };
}

/** Which versions a channel means, as far as that can be told without its graph. */
function inChannel(channel: ReleaseChannel, file: string): (version: string) => boolean {
  const { name, line, minVersion: min, maxVersion: max, full, shortestPath } = channel;
  if (shortestPath)
    throw unsettled(file, line, `which releases the shortest path of ${name} passes`);
  if (min === undefined && max === undefined && !full)
    throw unsettled(file, line, `which release of ${name} was the newest`);
  const [minor] = /\d+\.\d+$/.exec(name) ?? [];
  return (version) => {
    if (min !== undefined && compareVersions(version, min) < 0) return false;
    if (max !== undefined && compareVersions(version, max) > 0) return false;
    // An end that is open is that of the channel.
    return (min !== undefined && max !== undefined) || version.startsWith(`${minor ?? ''}.`);
  };
}

function catalogParts({ line, catalog, packages }: OperatorSet, file: string): Wanted {
  if (packages.length > 0) {
    throw new BundleError('CONFIGURATION', `${file}, line ${line}: a catalog goes as a whole`, {
      subject: file,
      hint:
        `Leave out the packages of ${catalog}. To keep some of them, pack the catalog again with ` +
        'those alone, unpack that, and prune the older one with --keep-bundle.',
    });
  }
  return { line, what: catalog, kind: 'catalog', fits: ({ names }) => names.includes(catalog) };
}

function chartParts(chart: Pick<RepositoryChart, 'line' | 'name' | 'version'>): Wanted {
  const { line, name, version } = chart;
  const what = version === undefined ? name : `${name}-${version}`;
  return { line, what, kind: 'chart', fits: ({ names }) => names.includes(what) };
}

function refuseWhole(file: string, line: number, name: string): never {
  throw new BundleError(
    'CONFIGURATION',
    `${file}, line ${line}: which charts of ${name} were pushed is not known by its name`,
    { subject: file, hint: 'List the charts that are to go, under charts:.' },
  );
}

function targetIn({ path, tag }: PushedPart['claim']): string | undefined {
  return typeof path === 'string' && typeof tag === 'string' ? `${path}:${tag}` : undefined;
}

function unsettled(file: string, line: number, what: string): BundleError {
  return new BundleError('CONFIGURATION', `${file}, line ${line}: nobody knows here ${what}`, {
    subject: file,
    hint: 'Nothing is fetched for a prune. Give minVersion and maxVersion, and no shortestPath.',
  });
}

function nothingFits(
  file: string,
  line: number,
  what: string,
  parts: readonly PushedPart[],
): BundleError {
  return new BundleError(
    'NOT_FOUND',
    `${file}, line ${line}: ${what} is not among what was pushed`,
    {
      subject: file,
      expected: what,
      got: parts.map(({ label }) => label).join(', '),
      hint: 'Nothing was removed. A bundle that no receipt names is given by its path.',
    },
  );
}
