import { formatRepository } from '../../core/reference.ts';
import { compareText, optionWords } from '../../core/text.ts';
import { claimDigest } from '../claim-digest.ts';
import { type Destinations, repositoryAt } from '../destinations.ts';
import type { Kind, Part, PartResources } from '../kind.ts';
import { knownBy, mirrorRows } from '../mirror-row.ts';
import { type ChartFacts, type ChartSeed, identityOf, readChartClaim } from './claim.ts';
import { CHART, chartLabel, expandChart } from './expand.ts';
import { findChart, settleChart } from './find.ts';
import { chartsOf } from './locate.ts';
import type { ChartRequest } from './request.ts';

/** Helm charts with the images that they run. */
export const chartKind: Kind<ChartRequest, ChartSeed, ChartFacts> = {
  name: CHART,
  accompanies: true,
  divide: async (request, sources) => {
    const { source } = request;
    if (source.type !== 'all') return [request];
    const found = await chartsOf(source.url, sources);
    return found.map((one) => ({ ...request, source: one }));
  },
  find: findChart,
  settle: settleChart,
  read: async (claim) => readChartClaim(claim),
  labelOf: ({ name, version }) => chartLabel(text(name), text(version)),
  namesOf: ({ name, version }) => [text(name), `${text(name)}-${text(version)}`],
  packWords: (claims) =>
    claims.flatMap(({ origin }) =>
      typeof origin === 'string' ? optionWords('chart', [origin]) : [],
    ),
  digestOf: identityOf,
  digestOfClaim: claimDigest(readChartClaim, identityOf),
  expand: expandChart,
  compare: (a, b) => compareText(a.name, b.name) || compareText(a.version, b.version),
  bundleName: (parts) => {
    const [only, ...others] = parts;
    if (only === undefined || others.length > 0 || !('artifact' in only)) return undefined;
    return `chart-${only.name}-${only.tag}`;
  },
  newerThan: () => [],
  resources,
};

function text(value: unknown): string {
  return typeof value === 'string' ? value : '?';
}

const INSTALLING = 'Install what you want of the charts:';

function resources({ facts, images }: Part<ChartFacts>, at: Destinations): PartResources {
  const { name, version, path } = facts;
  const mirrors = facts.images.flatMap(({ reference, digest }) => {
    const walked = images.filter(({ request }) => request.descriptor.digest === digest);
    return mirrorRows(walked, at, 'generic', knownBy(reference));
  });
  const repository = formatRepository(repositoryAt(at, `/${path}`));
  const install = `helm install ${name} oci://${repository} --version ${version}`;
  return {
    files: [],
    mirrors,
    section: () => [
      `The chart ${name} ${version}, in the local registry with its images. To install it:`,
      '',
      `     ${install}`,
      '',
    ],
    shown: () => [{ condition: INSTALLING, commands: [install], files: [] }],
  };
}
