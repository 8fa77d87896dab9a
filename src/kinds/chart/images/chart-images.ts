import { BundleError } from '../../../core/errors.ts';
import { few } from '../../../core/text.ts';
import type { Chart } from '../files/chart.ts';
import { declaredImages } from './declared-images.ts';
import { eachOnce, type FoundImage } from './found-image.ts';
import { manifestImages, readManifests } from './manifest-images.ts';
import { imagesAtPaths } from './path-images.ts';
import { unusedValues, type ValuesImage, valuesImages } from './values-images.ts';

/** The images of a chart, and what may be missing among them. */
export interface ChartImages {
  readonly images: readonly FoundImage[];
  /** Images that its default values name, and that nothing else does. */
  readonly unused: readonly ValuesImage[];
}

/** What is known about the images of a chart. */
export interface ImageEvidence {
  /** What `helm template` gave; `undefined` where there is no helm. */
  readonly rendered: string | undefined;
  /** Paths in manifests that lead to images. */
  readonly imagePaths: readonly string[];
  /** Images that the user lists for this chart. */
  readonly listed: readonly FoundImage[];
}

/**
 * Finds the images that a chart needs, in this order: what its publisher declares, what its
 * manifests run, what is at the paths that the user gave, what the user lists.
 * @throws BundleError CONFIGURATION where nothing could tell: no helm, no declaration, no list;
 * UNSUPPORTED_CONTENT, USAGE; NOT_FOUND for a path that leads to no image
 */
export function imagesOfChart(
  chart: Chart,
  { rendered, imagePaths, listed }: ImageEvidence,
): ChartImages {
  const declared = declaredImages(chart);
  if (rendered === undefined && declared.length === 0 && listed.length === 0) throw unknown(chart);
  if (rendered === undefined && imagePaths.length > 0) throw pathsNeedHelm(chart, imagePaths);
  const manifests =
    rendered === undefined ? [] : readManifests(rendered, `what ${chart.name} renders to`);
  const images = eachOnce([
    ...declared,
    ...manifestImages(manifests),
    ...imagesAtPaths(imagePaths, manifests, chart.name),
    ...listed,
  ]);
  return { images, unused: unusedValues(valuesImages(chart), images) };
}

function unknown({ name, version }: Chart): BundleError {
  return new BundleError(
    'CONFIGURATION',
    `nothing tells which images the chart ${name} ${version} needs: ` +
      'it lists none, and there is no helm to render it',
    {
      hint:
        'Install helm (https://helm.sh/docs/intro/install), or name it with --helm PATH; ' +
        'or list the images in a file: --helm-images FILE.',
      subject: name,
    },
  );
}

function pathsNeedHelm({ name }: Chart, paths: readonly string[]): BundleError {
  return new BundleError(
    'CONFIGURATION',
    `the chart ${name} has imagePaths, and there is no helm to render it: ${few(paths).join(', ')}`,
    { hint: 'Install helm, or name it with --helm PATH.', subject: name },
  );
}
