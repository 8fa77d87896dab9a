import { BundleError } from '../../core/errors.ts';
import { isRepository, isTag, parseReference } from '../../core/reference.ts';
import { oneLine } from '../../core/text.ts';
import { tagOfVersion } from './artifact.ts';
import type { Chart } from './files/chart.ts';
import type { ChartSource } from './request.ts';

/** Where a chart goes, below all that is delivered. */
export interface ChartPlace {
  readonly path: string;
  readonly tag: string;
}

/**
 * The place of a chart: one of a registry keeps its path, all others go below `charts/`. Names and
 * versions of charts may be what no registry takes, and no reader of a bundle does.
 * @throws BundleError UNSUPPORTED_CONTENT
 */
export function placeOfChart(
  { name, version }: Pick<Chart, 'name' | 'version'>,
  source: ChartSource,
): ChartPlace {
  const path =
    source.type === 'registry'
      ? parseReference(source.reference).repository
      : `charts/${name.toLowerCase()}`;
  if (!isRepository(path)) throw noPlace(name, `a registry takes no repository ${path}`);
  const tag = tagOfVersion(version);
  if (isTag(tag)) return { path, tag };
  throw noPlace(name, `a registry takes no tag ${oneLine(tag, 100)}`, tag.length);
}

function noPlace(name: string, why: string, length?: number): BundleError {
  return new BundleError('UNSUPPORTED_CONTENT', `the chart ${name} cannot be carried: ${why}`, {
    ...(length !== undefined && { expected: '128 characters at most', got: `${length}` }),
    hint: 'Package it under another name or version: helm package --version VERSION.',
    subject: name,
  });
}
