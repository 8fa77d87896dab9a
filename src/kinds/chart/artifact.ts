import type { MadeContent } from '../../building/image.ts';
import { digestOf } from '../../core/digest.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { OCI_MANIFEST } from '../../core/media-types.ts';
import type { Chart } from './files/chart.ts';

/** Media types of charts in registries (helm.sh/helm `pkg/registry`). */
export const CHART_CONFIG = 'application/vnd.cncf.helm.config.v1+json';
export const CHART_LAYER = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';
export const PROVENANCE_LAYER = 'application/vnd.cncf.helm.chart.provenance.v1.prov';

/** A chart as registries keep it. */
export interface ChartArtifact {
  readonly descriptor: Descriptor;
  readonly content: readonly MadeContent[];
}

/** A chart, and the files that it travels as. */
export interface PackagedChart {
  readonly chart: Chart;
  readonly archive: Uint8Array;
  readonly provenance: Uint8Array | undefined;
}

/**
 * The artifact that `helm push` would make of a chart, but for the time in its annotations: the same
 * chart gives the same digest.
 */
export function chartArtifact({ chart, archive, provenance }: PackagedChart): ChartArtifact {
  const content: MadeContent[] = [];
  const add = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const descriptor = { mediaType, size: bytes.length, digest: digestOf(bytes) };
    content.push({ descriptor, bytes });
    return descriptor;
  };
  const { name, version, metadata } = chart;
  const { description } = metadata;
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: add(CHART_CONFIG, Buffer.from(JSON.stringify(metadata))),
    layers: [
      add(CHART_LAYER, archive),
      ...(provenance === undefined ? [] : [add(PROVENANCE_LAYER, provenance)]),
    ],
    annotations: {
      ...(typeof description === 'string' && {
        'org.opencontainers.image.description': description,
      }),
      'org.opencontainers.image.title': name,
      'org.opencontainers.image.version': version,
    },
  };
  const descriptor = add(OCI_MANIFEST, Buffer.from(JSON.stringify(manifest)));
  return { descriptor, content };
}

/** The tag of a version: tags have no `+`, and Helm writes `_` for it. */
export function tagOfVersion(version: string): string {
  return version.replaceAll('+', '_');
}
