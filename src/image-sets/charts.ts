import type { Fields } from './fields.ts';
import type { ChartRepository, ChartSet, LocalChart, RepositoryChart } from './image-set.ts';
import { readNamed } from './named.ts';
import { readPlatforms } from './platform.ts';

export function readCharts(fields: Fields | undefined): ChartSet {
  if (fields === undefined) return { repositories: [], local: [] };
  return {
    repositories: readNamed(fields.mappings('repositories'), 'the repository', readRepository),
    local: fields.mappings('local').map(readLocal),
  };
}

function readRepository(fields: Fields, name: string): ChartRepository {
  const url = fields.requiredText('url');
  const isUrl = url !== undefined && /^(https?|oci|file):\/\/./i.test(url.value);
  if (url !== undefined && !(isUrl && URL.canParse(url.value))) {
    const hint = 'Write a URL that begins with https://, http://, oci:// or file://.';
    url.at.error('invalid-value', `url: ${url.value} is not the URL of a chart repository`, hint);
  }
  const charts = fields.mappings('charts').map(readChart);
  return { line: fields.line, name, url: url?.value ?? '', charts };
}

function readChart(fields: Fields): RepositoryChart {
  const [name, version] = [fields.requiredText('name'), fields.text('version')];
  return {
    ...{ line: fields.line, name: name?.value ?? '' },
    ...(version !== undefined && { version: version.value }),
    ...chartImages(fields),
  };
}

function readLocal(fields: Fields): LocalChart {
  const [name, path] = [fields.requiredText('name'), fields.requiredText('path')];
  return {
    ...{ line: fields.line, name: name?.value ?? '', path: path?.value ?? '' },
    ...chartImages(fields),
  };
}

function chartImages(fields: Fields) {
  return {
    imagePaths: fields.texts('imagePaths').map(({ value }) => value),
    platforms: readPlatforms(fields),
  };
}
