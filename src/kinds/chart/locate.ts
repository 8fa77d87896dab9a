import { basename } from 'node:path';

import { gzipStored } from '../../building/gzip.ts';
import { plainTar } from '../../building/tar.ts';
import { digestOf } from '../../core/digest.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { BundleError } from '../../core/errors.ts';
import { MAX_CHART_BYTES, MAX_CHART_INDEX_BYTES, MAX_SIGNATURE_BYTES } from '../../core/limits.ts';
import { type ImageManifest, parseManifest } from '../../core/manifest.ts';
import { parseReference } from '../../core/reference.ts';
import type { ReadOnlyStore } from '../../core/store.ts';
import { shownUrl } from '../../core/text.ts';
import { ifThere, isFolder } from '../../files/look.ts';
import { readGivenFile } from '../../files/small-file.ts';
import { fetchVerified } from '../../transfer/verified.ts';
import type { FindOptions } from '../kind.ts';
import type { Sources } from '../sources.ts';
import { CHART_CONFIG, CHART_LAYER, PROVENANCE_LAYER } from './artifact.ts';
import { type Chart, readChart } from './files/chart.ts';
import { type ChartFiles, readChartArchive, readChartFolder } from './files/chart-files.ts';
import {
  type ChartIndex,
  chooseChart,
  type OfferedChart,
  readChartIndex,
} from './repository-index.ts';
import { type ChartSource, nameOfSource } from './request.ts';

/** A chart as it was found, with the bytes that it travels as. */
export interface LocatedChart {
  readonly chart: Chart;
  /** As its publisher calls the archive: `podinfo-5.0.0.tgz`. */
  readonly fileName: string;
  readonly archive: Uint8Array;
  readonly provenance: Uint8Array | undefined;
  /** How others ask for it, as `--chart` takes it; `undefined` for one of this machine. */
  readonly origin: string | undefined;
  /** The artifact of a registry, which is carried as it is. */
  readonly artifact: { readonly descriptor: Descriptor; readonly store: ReadOnlyStore } | undefined;
}

/**
 * Fetches a chart, and reads it.
 * @throws BundleError NOT_FOUND, CONTENT_MISMATCH for an archive that its repository has another
 * digest of; UNSUPPORTED_CONTENT, and of the network
 */
export async function locateChart(
  source: ChartSource,
  sources: Sources,
  options: FindOptions,
): Promise<LocatedChart> {
  if (source.type === 'repository') return fromRepository(source, sources);
  if (source.type === 'all') throw new TypeError('a request for many charts is divided first');
  if (source.type === 'registry') return fromRegistry(source.reference, sources, options);
  return fromMachine(source.path);
}

/**
 * Every version of every chart of a classic repository, but for libraries: what oc-mirror takes where
 * a repository is named without charts.
 * @throws BundleError NOT_FOUND, UNSUPPORTED_CONTENT, USAGE, and of the network
 */
export async function chartsOf(
  url: string,
  sources: Sources,
): Promise<readonly RepositorySource[]> {
  const index = await indexOf(url, sources);
  return [...index.values()].flatMap((offered) =>
    offered
      .filter(({ isLibrary }) => !isLibrary)
      .map(({ name, version }): RepositorySource => ({ type: 'repository', url, name, version })),
  );
}

type RepositorySource = Extract<ChartSource, { type: 'repository' }>;

async function fromRepository(source: RepositorySource, sources: Sources): Promise<LocatedChart> {
  const { url, name, version } = source;
  const index = await indexOf(url, sources);
  const offered = chooseChart(index, { name, version, repository: url });
  if (offered.isLibrary) throw library(name);
  const archive = await needed(sources, url, offered.url, MAX_CHART_BYTES);
  checkDigest(offered, archive);
  const provenance = await sources.chartFile(url, `${offered.url}.prov`, MAX_SIGNATURE_BYTES);
  const chart = await chartIn(archive, nameOfSource(source));
  if (chart.name !== name || chart.version !== offered.version) throw another(source, chart);
  const fileName = basename(new URL(offered.url).pathname);
  const origin = `${url}#${name}@${chart.version}`;
  return { chart, fileName, archive, provenance, origin, artifact: undefined };
}

/** The indexes of a run, by URL: many charts of one repository read it once. */
const indexes = new WeakMap<Sources, Map<string, Promise<ChartIndex>>>();

/** @throws BundleError NOT_FOUND, UNSUPPORTED_CONTENT, USAGE, and of the network */
async function indexOf(url: string, sources: Sources): Promise<ChartIndex> {
  const known = indexes.get(sources) ?? new Map<string, Promise<ChartIndex>>();
  indexes.set(sources, known);
  const index = known.get(url) ?? fetchIndex(url, sources);
  known.set(url, index);
  return index;
}

async function fetchIndex(url: string, sources: Sources): Promise<ChartIndex> {
  const base = url.endsWith('/') ? url : `${url}/`;
  if (!/^https?:\/\//i.test(url) || !URL.canParse(base)) {
    throw new BundleError('USAGE', `not the URL of a chart repository: ${shownUrl(url)}`, {
      hint: 'It begins with https://, as in https://charts.example.com. A chart in a registry begins with oci://.',
    });
  }
  const { username, password } = new URL(base);
  if (username !== '' || password !== '') {
    throw new BundleError(
      'USAGE',
      `the URL of a chart repository has a password: ${shownUrl(url)}`,
      {
        hint:
          'It would be written into the bundle. Name a file that has it with --helm-repositories, ' +
          'as helm repo add writes it.',
      },
    );
  }
  const listing = await needed(sources, url, `${base}index.yaml`, MAX_CHART_INDEX_BYTES);
  return readChartIndex(listing, base);
}

async function needed(
  sources: Sources,
  repository: string,
  url: string,
  limit: number,
): Promise<Uint8Array> {
  const bytes = await sources.chartFile(repository, url, limit);
  if (bytes !== undefined) return bytes;
  throw new BundleError('NOT_FOUND', `there is nothing at ${shownUrl(url)} (404)`, {
    hint: 'Check the URL of the chart repository: index.yaml has to be right below it.',
  });
}

function checkDigest({ digest, url }: OfferedChart, archive: Uint8Array): void {
  const got = digestOf(archive);
  if (digest === undefined || digest === got) return;
  throw new BundleError('CONTENT_MISMATCH', `${shownUrl(url)} is not the chart of its repository`, {
    ...{ expected: digest, got },
    hint: 'The index of the repository states another digest. Try again; if it stays so, ask who keeps it.',
  });
}

async function fromRegistry(
  text: string,
  sources: Sources,
  { signal, observe }: FindOptions,
): Promise<LocatedChart> {
  const { registry, repository, tag, digest } = parseReference(text);
  const store = sources.source({ registry, repository });
  const wanted = digest ?? tag;
  if (wanted === undefined) {
    throw new BundleError('USAGE', `the chart ${text} has no version`, {
      hint: `Write the version behind it: ${text}:VERSION`,
    });
  }
  const descriptor = await store.resolve(wanted, { signal });
  const manifest = parseManifest(await fetchVerified(store, descriptor, { signal, observe }));
  if (manifest.kind === 'index' || manifest.config.mediaType !== CHART_CONFIG) throw noChart(text);
  const read = async (type: string, limit: number): Promise<Uint8Array | undefined> => {
    const layer = layerOf(manifest, type);
    if (layer === undefined) return undefined;
    if (layer.size > limit) throw noChart(text);
    return fetchVerified(store, layer, { signal, observe });
  };
  const archive = await read(CHART_LAYER, MAX_CHART_BYTES);
  if (archive === undefined) throw noChart(text);
  const provenance = await read(PROVENANCE_LAYER, MAX_SIGNATURE_BYTES);
  const chart = await chartIn(archive, text);
  const artifact = { descriptor, store };
  const origin = `oci://${text}`;
  return { chart, fileName: fileNameOf(chart), archive, provenance, origin, artifact };
}

function layerOf({ layers }: ImageManifest, type: string): Descriptor | undefined {
  return layers.find(({ mediaType }) => mediaType === type);
}

/** Of this machine alone. */
const NOT_PUBLISHED = { origin: undefined, artifact: undefined };

/** As `helm package` calls it. */
function fileNameOf({ name, version }: Chart): string {
  return `${name}-${version}.tgz`;
}

async function fromMachine(path: string): Promise<LocatedChart> {
  if (await isFolder(path)) {
    const files = await readChartFolder(path);
    const chart = readChart(files, path);
    if (chart.isLibrary) throw library(chart.name);
    const archive = packaged(chart.name, files);
    return { ...NOT_PUBLISHED, chart, fileName: fileNameOf(chart), archive, provenance: undefined };
  }
  const archive = await readGivenFile(path, MAX_CHART_BYTES, 'the chart');
  const provenance = await ifThere(readGivenFile(`${path}.prov`, MAX_SIGNATURE_BYTES));
  const chart = await chartIn(archive, basename(path));
  return { ...NOT_PUBLISHED, chart, fileName: basename(path), archive, provenance };
}

async function chartIn(archive: Uint8Array, what: string): Promise<Chart> {
  const chart = readChart(await readChartArchive(archive, what), what);
  if (chart.isLibrary) throw library(chart.name);
  return chart;
}

/** What `helm package` would make, but the same bytes each time. */
function packaged(name: string, files: ChartFiles): Uint8Array {
  const entries = [...files].map(([path, bytes]) => ({ path: `${name}/${path}`, bytes }));
  try {
    return gzipStored(plainTar(entries));
  } catch (cause) {
    throw new BundleError(
      'UNSUPPORTED_CONTENT',
      `the chart ${name} holds a file whose name is too long, or not ASCII`,
      { cause, hint: 'Package it with helm package, and name the archive.' },
    );
  }
}

function another(source: ChartSource, { name, version }: Chart): BundleError {
  return new BundleError(
    'CONTENT_MISMATCH',
    `the archive of the chart ${nameOfSource(source)} is another chart: ${name} ${version}`,
    { hint: 'The index of the repository is wrong: ask who keeps it.' },
  );
}

function library(name: string): BundleError {
  return new BundleError('USAGE', `the chart ${name} is a library, which installs nothing`, {
    hint: 'Charts that need it have it in themselves. Leave it out.',
  });
}

function noChart(text: string): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `${text} is no Helm chart`, {
    expected: `a manifest whose config is ${CHART_CONFIG}, with a chart's archive`,
    hint: 'Check the reference. An image goes below additionalImages.',
  });
}
