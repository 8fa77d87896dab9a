import type { Context } from '../../../core/context.ts';
import { BundleError } from '../../../core/errors.ts';
import { isObject, type JsonObject } from '../../../core/json.ts';
import { MAX_CONFIGURATION_BYTES } from '../../../core/limits.ts';
import { readGivenFile } from '../../../files/small-file.ts';
import { chartKind } from '../../../kinds/chart/chart.ts';
import { DEFAULT_KUBE_VERSION } from '../../../kinds/chart/helm.ts';
import { yamlValue } from '../../../kinds/chart/yaml-value.ts';
import type { ChartRequest, ChartSource } from '../../../kinds/chart/request.ts';
import { type PartRequest, partRequest } from '../../../kinds/kind.ts';
import { text, texts } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import { chartOptions } from './chart-options.ts';

/** A chart that is asked for, and the paths in its manifests that lead to images. */
export interface WantedChart {
  /** The name by which options say something of it. */
  readonly name: string;
  readonly source: ChartSource;
  readonly imagePaths: readonly string[];
}

/** The charts that a command line asks for. @throws BundleError USAGE */
export function wantedCharts(args: Arguments): readonly WantedChart[] {
  return texts(args, 'chart').map((written) => {
    const source = sourceOf(written);
    return { name: nameOf(source), source, imagePaths: [] };
  });
}

/**
 * The parts of charts, rendered as the options say.
 * @throws BundleError USAGE for an option about a chart that is not asked for, or about charts where
 * none is.
 */
export async function chartParts(
  wanted: readonly WantedChart[],
  args: Arguments,
  { environment: { env } }: Context,
): Promise<readonly PartRequest[]> {
  const values = valuesOf(texts(args, 'helm-values'));
  const images = await imagesOf(text(args, 'helm-images'));
  checkNames([...values.keys()], 'helm-values', wanted);
  checkNames([...images.keys()], 'helm-images', wanted);
  if (wanted.length === 0) throw idle(args);
  return wanted.map(({ name, source, imagePaths }) => {
    const request: ChartRequest = {
      ...{ source, imagePaths },
      values: values.get(name) ?? [],
      images: images.get(name) ?? [],
      rendering: {
        helm: text(args, 'helm'),
        kubeVersion: text(args, 'kube-version') ?? DEFAULT_KUBE_VERSION,
        apiVersions: texts(args, 'api-versions'),
        env,
      },
      keyring: text(args, 'chart-keyring'),
    };
    return partRequest(chartKind, request);
  });
}

/** For options about charts without a chart: whoever gave them meant one. */
function idle(args: Arguments): BundleError {
  const option = Object.keys(chartOptions).find((name) => args[name] !== undefined);
  return new BundleError('USAGE', `--${option} has a meaning only with charts`, {
    hint: `Name a chart with --chart, or leave --${option} out.`,
  });
}

/** @throws BundleError USAGE */
function sourceOf(written: string): ChartSource {
  if (written.startsWith('oci://')) return { type: 'registry', reference: written.slice(6) };
  if (!/^https?:\/\//i.test(written)) return { type: 'local', path: written };
  const [, url, name, version] = /^([^#]+)#([^#@]+)(?:@([^#@]+))?$/.exec(written) ?? [];
  if (url !== undefined && name !== undefined) return { type: 'repository', url, name, version };
  throw new BundleError('USAGE', `--chart ${written} names no chart of the repository`, {
    hint: `Write its name, and the version if not the newest: ${written.replace(/#.*$/, '')}#NAME@VERSION`,
  });
}

/** The last name of a path or a reference, without version and ending. */
function nameOf(source: ChartSource): string {
  if (source.type === 'repository') return source.name;
  if (source.type === 'all') return source.url;
  const whole = source.type === 'local' ? source.path : source.reference;
  const last = whole.replace(/\/+$/, '').replace(/^.*\//, '');
  return source.type === 'local'
    ? last.replace(/(?:-v?\d+\.\d.*)?\.tgz$/, '')
    : last.replace(/[:@].*$/, '');
}

/** @throws BundleError USAGE */
function valuesOf(written: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const files = new Map<string, readonly string[]>();
  for (const one of written) {
    const [, name, file] = /^([^=]+)=(.+)$/s.exec(one) ?? [];
    if (name === undefined || file === undefined) {
      throw new BundleError('USAGE', `--helm-values ${one} does not name a chart`, {
        hint: 'Write CHART=FILE, as in podinfo=values.yaml.',
      });
    }
    files.set(name, [...(files.get(name) ?? []), file]);
  }
  return files;
}

/** @throws BundleError CONFIGURATION */
async function imagesOf(path: string | undefined): Promise<ReadonlyMap<string, readonly string[]>> {
  if (path === undefined) return new Map();
  const lists = yamlValue(await readGivenFile(path, MAX_CONFIGURATION_BYTES), path);
  const isMap = isObject(lists) && Object.values(lists).every(isListOfTexts);
  if (!isMap) {
    throw new BundleError('CONFIGURATION', `${path} is no list of images`, {
      expected: 'a map from the name of a chart to a list of images',
      hint: 'Write it so: "podinfo: [ghcr.io/stefanprodan/podinfo:5.0.0]".',
    });
  }
  return new Map(Object.entries(lists as Readonly<Record<string, readonly string[]>>));
}

function isListOfTexts(value: JsonObject[string]): boolean {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

/** @throws BundleError USAGE */
function checkNames(
  names: readonly string[],
  option: string,
  wanted: readonly WantedChart[],
): void {
  const unknown = names.find((name) => !wanted.some((chart) => chart.name === name));
  if (unknown === undefined) return;
  const known = wanted.map(({ name }) => name).join(', ');
  throw new BundleError('USAGE', `--${option} is about ${unknown}, which is not asked for`, {
    hint: known === '' ? 'No chart is asked for: see --chart.' : `Charts that are: ${known}.`,
  });
}
