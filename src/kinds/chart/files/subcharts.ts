import { BundleError } from '../../../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../../../core/json.ts';
import { MAX_CHART_BYTES } from '../../../core/limits.ts';
import { compareText, few, oneLine } from '../../../core/text.ts';
import { yamlValue } from '../yaml-value.ts';
import type { Chart } from './chart.ts';
import { type ChartFiles, readChartArchive } from './chart-files.ts';

/** A chart that lies in `charts/` of another one. */
interface Subchart {
  readonly name: string | undefined;
  readonly isLibrary: boolean;
}

/**
 * Checks the charts that a chart has in `charts/` by Helm's rules (helm.sh/helm `pkg/chart/loader`
 * and `pkg/action`): without this check Helm would refuse the chart on the other side.
 * @returns the names of those that the chart does not list as dependencies, though Helm installs
 * them: sorted, without libraries.
 * @throws BundleError UNSUPPORTED_CONTENT where one that the chart depends on is not there, and for
 * something in `charts/` that is no chart.
 */
export async function checkSubcharts(chart: Chart): Promise<readonly string[]> {
  const subcharts = await subchartsOf(chart);
  const listed = dependenciesOf(chart);
  const there = new Set(subcharts.map(({ name }) => name));
  const missing = listed.filter((name) => !there.has(name));
  if (missing.length > 0) throw lacking(chart, missing);
  return subcharts
    .flatMap(({ name, isLibrary }) => (name === undefined || isLibrary ? [] : [name]))
    .filter((name) => !listed.includes(name))
    .sort(compareText);
}

/** Of a chart for Helm 2, and of one that still has its file, `requirements.yaml` says it. */
function dependenciesOf({ name, metadata, files }: Chart): readonly string[] {
  const bytes = files.get('requirements.yaml');
  const own = bytes === undefined ? null : yamlValue(bytes, `requirements.yaml of ${name}`);
  const said = isObject(own) ? own['dependencies'] : metadata['dependencies'];
  const list = Array.isArray(said) ? (said as readonly Json[]) : [];
  const names = list.map((entry) => (isObject(entry) ? entry['name'] : undefined));
  return [...new Set(names.filter((one) => typeof one === 'string'))];
}

async function subchartsOf(chart: Chart): Promise<readonly Subchart[]> {
  const inside = inCharts(chart.files);
  const subcharts: Subchart[] = [];
  let left = MAX_CHART_BYTES;
  for (const name of new Set(inside.map(({ path }) => path[0]!))) {
    const files = inside.filter(({ path }) => path[0] === name);
    const metadata = name.endsWith('.tgz')
      ? await packedMetadata(chart, files, (size) => {
          left -= size;
          if (left < 0) throw refused(chart, 'its charts/ unpack to more than Helm takes');
        })
      : metadataOf(
          chart,
          files.find(({ path }) => path[1] === 'Chart.yaml' && path.length === 2),
        );
    if (metadata === undefined) throw noChart(chart, name);
    const { name: own, type } = metadata;
    subcharts.push({
      name: typeof own === 'string' ? own : undefined,
      isLibrary: type === 'library',
    });
  }
  return subcharts;
}

/** A file below `charts/`, with the names on the way to it. */
interface FileInCharts {
  readonly path: readonly string[];
  readonly bytes: Uint8Array;
}

/** Names that begin with a dot or a line, and signatures, Helm passes over. */
function inCharts(files: ChartFiles): readonly FileInCharts[] {
  return [...files].flatMap(([path, bytes]) => {
    const [folder, ...inner] = path.split('/');
    const isPassedOver = path.endsWith('.prov') || /^[._]/.test(inner[0] ?? '.');
    return folder === 'charts' && !isPassedOver ? [{ path: inner, bytes }] : [];
  });
}

async function packedMetadata(
  chart: Chart,
  [archive]: readonly FileInCharts[],
  unpacked: (size: number) => void,
): Promise<JsonObject | undefined> {
  if (archive === undefined || archive.path.length > 1) return undefined;
  const what = `charts/${archive.path[0]!} of ${chart.name}`;
  const files = await readChartArchive(archive.bytes, what);
  for (const bytes of files.values()) unpacked(bytes.length);
  const bytes = files.get('Chart.yaml');
  return metadataOf(chart, bytes && { path: archive.path, bytes });
}

function metadataOf(chart: Chart, file: FileInCharts | undefined): JsonObject | undefined {
  if (file === undefined) return undefined;
  const metadata = yamlValue(file.bytes, `Chart.yaml of charts/${file.path[0]!} of ${chart.name}`);
  return isObject(metadata) ? metadata : undefined;
}

function lacking({ name, version, files }: Chart, missing: readonly string[]): BundleError {
  const file = files.has('requirements.yaml') ? 'requirements.yaml' : 'Chart.yaml';
  return new BundleError(
    'UNSUPPORTED_CONTENT',
    `the chart ${name} ${version} lacks charts that it depends on`,
    {
      expected: `in charts/, each chart that ${file} lists as a dependency`,
      got: `without ${few(missing.map((one) => oneLine(one, 60))).join(', ')}`,
      hint: 'Helm refuses to install it so. Fetch them with helm dependency build FOLDER, and pack that folder.',
      subject: name,
    },
  );
}

function noChart(chart: Chart, entry: string): BundleError {
  return refused(
    chart,
    `charts/${oneLine(entry, 100)} is no chart, and Helm takes nothing else there`,
  );
}

function refused({ name, version }: Chart, why: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `the chart ${name} ${version}: ${why}`, {
    expected: 'in charts/, folders and .tgz archives of charts, and names that begin with . or _',
    hint: 'Remove it from the chart, or name it in .helmignore.',
    subject: name,
  });
}
