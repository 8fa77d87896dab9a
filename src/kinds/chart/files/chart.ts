import { BundleError } from '../../../core/errors.ts';
import { asString, isObject, type Json, type JsonObject } from '../../../core/json.ts';
import { oneLine } from '../../../core/text.ts';
import type { ChartFiles } from './chart-files.ts';
import { yamlValue } from '../yaml-value.ts';

/** A Helm chart: its files, and what its `Chart.yaml` says. */
export interface Chart {
  readonly name: string;
  readonly version: string;
  /** The version of what the chart installs: the tag of images that have none of their own. */
  readonly appVersion: string | undefined;
  /** A library has templates for other charts, and installs nothing. */
  readonly isLibrary: boolean;
  readonly annotations: Readonly<Record<string, string>>;
  /** `Chart.yaml` as Helm writes it into the config of a chart's artifact. */
  readonly metadata: JsonObject;
  readonly files: ChartFiles;
}

/** Names of charts become file names and repositories. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const VERSION = /^v?\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;

/**
 * Reads what a chart says of itself.
 * @param what the chart is, for messages.
 * @throws BundleError UNSUPPORTED_CONTENT for a `Chart.yaml` that Helm would refuse.
 */
export function readChart(files: ChartFiles, what: string): Chart {
  const where = `Chart.yaml of ${what}`;
  const metadata = yamlValue(files.get('Chart.yaml') ?? new Uint8Array(0), where);
  if (!isObject(metadata)) throw refused(`${where} is not a map`);
  const name = asString(metadata['name'], `the name in ${where}`);
  const version = asString(metadata['version'], `the version in ${where}`);
  if (!NAME.test(name)) throw refused(`${where} names the chart ${oneLine(name, 100)}`);
  if (!VERSION.test(version)) throw refused(`${where} has no version: ${oneLine(version, 100)}`);
  const { appVersion, annotations } = metadata;
  return {
    ...{ name, version, metadata, files },
    appVersion: appVersion === undefined || appVersion === null ? undefined : textOf(appVersion),
    isLibrary: metadata['type'] === 'library',
    annotations: isObject(annotations)
      ? Object.fromEntries(Object.entries(annotations).map(([key, value]) => [key, textOf(value)]))
      : {},
  };
}

/** Go reads an unquoted 1.0 as a number, and then as no version; people write it all the same. */
function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function refused(message: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', message, {
    hint: 'Check the chart with helm lint.',
  });
}
