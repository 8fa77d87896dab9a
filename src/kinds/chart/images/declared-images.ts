import type { Chart } from '../files/chart.ts';
import { type FoundImage, imagesOfList } from './found-image.ts';
import { yamlValue } from '../yaml-value.ts';

/** Annotations of `Chart.yaml` that list images (Helm charts of Artifact Hub, hauler, helm-images). */
const ANNOTATIONS = ['artifacthub.io/images', 'helm.sh/images', 'images'];
/** Files of a chart that list its images (`helm dt`, hauler). */
const LOCK_FILES = [
  'Images.lock',
  'images.lock',
  'images-lock.yaml',
  'images.lock.yaml',
  '.images.lock.yaml',
];

/**
 * The images that the publisher of a chart lists: in annotations, and in lock files.
 * @throws BundleError UNSUPPORTED_CONTENT for a list that cannot be read: nobody would know what it
 * names.
 */
export function declaredImages({ annotations, files, name }: Chart): readonly FoundImage[] {
  const found: FoundImage[] = [];
  for (const key of ANNOTATIONS) {
    const text = annotations[key];
    if (text === undefined) continue;
    const what = `the annotation ${key} of the chart ${name}`;
    for (const reference of imagesOfList(yamlValue(Buffer.from(text), what), what))
      found.push({ reference, how: 'annotation', where: key });
  }
  for (const path of LOCK_FILES) {
    const bytes = files.get(path);
    if (bytes === undefined) continue;
    const what = `${path} of the chart ${name}`;
    for (const reference of imagesOfList(yamlValue(bytes, what), what))
      found.push({ reference, how: 'lock file', where: path });
  }
  return found;
}
