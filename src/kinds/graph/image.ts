import { type BaseImage, buildImage, type MadeImage } from '../../building/image.ts';
import type { JsonObject } from '../../core/json.ts';
import type { GraphDataFiles } from '../../updates/graph-data/files.ts';
import { graphDataEntries } from './archive.ts';

/** Where the data is in the image, and where an update service wants it. */
const ROOT = 'var/lib/cincinnati-graph-data';
const COMMAND = `exec cp -rp /${ROOT}/* /var/lib/cincinnati/graph-data`;

/**
 * The image that an update service copies its graph data from, as oc-mirror builds it: the base
 * image of each architecture with the data in one layer more.
 * @throws BundleError UNSUPPORTED_CONTENT for a base image that cannot be built on
 */
export function buildGraphImage(files: GraphDataFiles, bases: readonly BaseImage[]): MadeImage {
  const addition = {
    files: graphDataEntries(files, ROOT),
    createdBy: (digest: string) => `bundle: update graph ${digest}`,
    runs: (base: JsonObject) => ({
      ...Object.fromEntries(Object.entries(base).filter(([key]) => key !== 'Entrypoint')),
      Cmd: ['/bin/bash', '-c', COMMAND],
    }),
    hint: 'Name another base image with --graph-data-base.',
  };
  return buildImage(addition, bases);
}
