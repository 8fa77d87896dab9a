import { streamOf } from '../../core/bytes.ts';
import { mapLimited } from '../../core/concurrency.ts';
import { BundleError } from '../../core/errors.ts';
import { MAX_CHART_FILE_BYTES, MAX_KEY_BYTES } from '../../core/limits.ts';
import { readGivenFile } from '../../files/small-file.ts';
import { TemporaryFolder } from '../../files/temporary/folder.ts';
import { MemoryStore } from '../../stores/memory.ts';
import { readKeyring } from '../../trust/signed-text.ts';
import { namesOfReference } from '../image/blocked.ts';
import { type ImagePartRequest, imageRequest, nameOfImage } from '../image/request.ts';
import { digestOfTag } from '../holes.ts';
import type { FindOptions, Found } from '../kind.ts';
import type { ContentSource, Sources } from '../sources.ts';
import { type ChartArtifact, chartArtifact } from './artifact.ts';
import type { ChartImage, ChartSeed } from './claim.ts';
import { checkSubcharts } from './files/subcharts.ts';
import { helmOf, renderChart } from './helm.ts';
import { type ChartImages, imagesOfChart } from './images/chart-images.ts';
import type { FoundImage } from './images/found-image.ts';
import { locateChart, type LocatedChart } from './locate.ts';
import { placeOfChart } from './place.ts';
import { checkProvenance } from './provenance.ts';
import { type ChartRequest, nameOfSource } from './request.ts';

/** Images whose digests are asked for at a time. */
const AT_ONCE = 8;

/**
 * Fetches a chart, checks its provenance where there is a keyring, and finds its images.
 * @throws BundleError as {@link locateChart}, `checkSubcharts`, `checkProvenance` and `imagesOfChart` do; NOT_FOUND
 * for an image that is not there
 */
export async function findChart(
  request: ChartRequest,
  sources: Sources,
  options: FindOptions,
): Promise<Found<ChartSeed>> {
  const { observe, signal, now } = options;
  const called = nameOfSource(request.source);
  observe({ type: 'phase', what: `reading the chart ${called}` });
  const located = await locateChart(request.source, sources, options);
  const { chart, origin } = located;
  const place = placeOfChart(chart, request.source);
  for (const subchart of await checkSubcharts(chart))
    observe({ type: 'noticed', code: 'chart-unlisted-subchart', chart: chart.name, subchart });
  if (request.keyring !== undefined) await checkSigned(located, request.keyring, now);
  if (request.locked !== undefined) return lockedChart(located, request.locked, sources);
  observe({ type: 'phase', what: `finding the images of the chart ${called}` });
  const { images: all, unused } = await imagesOf(located, request, signal);
  const images = withoutBlocked(all, chart.name, options);
  for (const { reference, key } of unused)
    observe({ type: 'noticed', code: 'chart-image-unused', chart: chart.name, reference, key });
  if (all.length === 0)
    observe({ type: 'noticed', code: 'chart-without-images', chart: chart.name });
  const resolve = async (found: FoundImage): Promise<ChartImage> =>
    digestOf(found, chart.name, sources, options);
  const resolved = await mapLimited(images, AT_ONCE, resolve, signal);
  const artifact = artifactOf(located);
  const { name, version } = chart;
  return {
    seed: {
      ...{ name, version, origin, artifact: artifact.descriptor.digest, images: resolved },
      ...place,
      descriptor: artifact.descriptor,
      made: artifact.content,
    },
    content: contentOf(located, sources),
  };
}

function artifactOf({ artifact, chart, archive, provenance }: LocatedChart): ChartArtifact {
  return artifact === undefined
    ? chartArtifact({ chart, archive, provenance })
    : { descriptor: artifact.descriptor, content: [] };
}

function contentOf({ artifact }: LocatedChart, sources: Sources): ContentSource {
  return {
    // A chart that no registry has is made here.
    root: artifact?.store ?? new MemoryStore('charts that are made here'),
    storeOf: (repository) => sources.source(repository),
  };
}

/** The chart that an earlier run has found, with the images that it has found for it. */
function lockedChart(located: LocatedChart, locked: ChartSeed, sources: Sources): Found<ChartSeed> {
  const { descriptor, content } = artifactOf(located);
  if (descriptor.digest !== locked.artifact) {
    const { name, version } = locked;
    throw new BundleError('CONTENT_MISMATCH', `the chart ${name} ${version} is another one now`, {
      expected: locked.artifact,
      got: descriptor.digest,
      subject: `chart ${name} ${version}`,
      hint: 'Somebody has published or changed it again under the same version. Look at what is different, and write a new lock.',
    });
  }
  const seed = { ...locked, descriptor, made: content };
  return { seed, content: contentOf(located, sources) };
}

async function checkSigned(
  { chart, fileName, archive, provenance }: LocatedChart,
  keyring: string,
  now: Date,
): Promise<void> {
  const { name, version } = chart;
  if (provenance === undefined) {
    throw new BundleError('SIGNATURE_MISSING', `the chart ${name} ${version} is not signed`, {
      hint: 'It has no provenance file (.prov). Leave its keyring out to carry it without a check.',
    });
  }
  const keys = await readKeyring(await readGivenFile(keyring, MAX_KEY_BYTES), keyring);
  await checkProvenance({ fileName, archive, provenance }, keys, now);
}

async function imagesOf(
  { chart, archive }: LocatedChart,
  { imagePaths, values, images, rendering }: ChartRequest,
  signal: AbortSignal,
): Promise<ChartImages> {
  const rendered = await TemporaryFolder.during(async (scratch) => {
    const run = { scratch: scratch.path, env: rendering.env, signal };
    const helm = await helmOf(rendering, run);
    if (helm === undefined) return undefined;
    const path = await scratch.write(streamOf(archive));
    const files: string[] = [];
    // Copies: helm would take a URL for a file, and read it from the network.
    for (const file of values)
      files.push(await scratch.write(streamOf(await readGivenFile(file, MAX_CHART_FILE_BYTES))));
    const packaged = { archive: path, what: `${chart.name} ${chart.version}` };
    return renderChart(helm, packaged, { ...rendering, values: files }, run);
  });
  const listed = images.map((reference): FoundImage => ({
    ...{ reference, how: 'list', where: 'the user' },
  }));
  return imagesOfChart(chart, { rendered, imagePaths, listed });
}

/** The images of a chart that are wanted. A chart runs without one where its values say so. */
function withoutBlocked(
  images: readonly FoundImage[],
  chart: string,
  { blocker, observe }: FindOptions,
): readonly FoundImage[] {
  if (blocker === undefined) return images;
  const kept: FoundImage[] = [];
  const blocked: { readonly image: string; readonly pattern: string }[] = [];
  for (const image of images) {
    const by = blocker.blocks(namesOfReference(referenceOf(image)));
    if (by === undefined) kept.push(image);
    else blocked.push({ image: image.reference, pattern: by.pattern });
  }
  const [first] = blocked;
  if (first !== undefined) {
    const facts = { of: `the chart ${chart}`, images: blocked.length, ...first };
    observe({ type: 'noticed', code: 'images-blocked', ...facts });
  }
  return kept;
}

/** Without tag and digest, engines take latest, and so does a chart that names an image so. */
function referenceOf({ reference }: FoundImage): string {
  return /[:@][^/]*$/.test(reference) ? reference : `${reference}:latest`;
}

async function digestOf(
  found: FoundImage,
  chart: string,
  sources: Sources,
  options: FindOptions,
): Promise<ChartImage> {
  const { reference, how, where } = found;
  const named = referenceOf(found);
  try {
    const request = imageRequest(named);
    return { ...request, ...(await resolved(request, sources, options)), how, where };
  } catch (error) {
    throw error instanceof BundleError ? error.about(`image ${reference} of ${chart}`) : error;
  }
}

async function resolved(
  request: ImagePartRequest,
  sources: Sources,
  { signal, absent: tags }: FindOptions,
): Promise<Pick<ChartImage, 'digest' | 'absent'>> {
  const { registry, repository, tag, digest } = request.reference;
  if (digest !== undefined) return { digest };
  const resolve = () => sources.source({ registry, repository }).resolve(tag!, { signal });
  return digestOfTag(nameOfImage(request), resolve, tags);
}

/** What could not be resolved when it was packed, somebody asks for again. */
export async function settleChart(
  seed: ChartSeed,
  _content: ContentSource,
  sources: Sources,
  options: FindOptions,
): Promise<ChartSeed> {
  const settled = async (image: ChartImage): Promise<ChartImage> => {
    if (image.digest !== undefined) return image;
    try {
      const { digest, absent } = await resolved(image, sources, options);
      return { ...image, digest, absent };
    } catch (error) {
      const name = `image ${nameOfImage(image)} of ${seed.name}`;
      throw error instanceof BundleError ? error.about(name) : error;
    }
  };
  return { ...seed, images: await mapLimited(seed.images, AT_ONCE, settled, options.signal) };
}
