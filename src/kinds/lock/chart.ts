import type { Digest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { formatReference, parseReference } from '../../core/reference.ts';
import type { Part } from '../kind.ts';
import { byType, digest, knownDigest, listOf, objectOf, oneOf, text } from './fields.ts';
import type { LockForm } from './lock-form.ts';
import { CHART_LAYER } from '../chart/artifact.ts';
import { chartKind } from '../chart/chart.ts';
import { type ChartFacts, readChartClaim } from '../chart/claim.ts';
import { CHART } from '../chart/expand.ts';
import { HOW_FOUND, type HowFound } from '../chart/images/found-image.ts';
import type { ChartRequest, ChartSource } from '../chart/request.ts';

/** A chart in a lock, with the images that were found for it. */
export interface LockedChart {
  readonly name: string;
  readonly version: string;
  /** As `--chart` takes it; left out for one of the packer's machine. */
  readonly origin?: string;
  /** The artifact that it travels as, and the archive in it. */
  readonly artifact: Digest;
  readonly archive: Digest;
  readonly path: string;
  readonly tag: string;
  readonly source: LockedSource;
  /** What its manifests were rendered with and for. */
  readonly rendered: {
    readonly kubeVersion: string;
    readonly apiVersions: readonly string[];
    readonly values: readonly string[];
    readonly imagePaths: readonly string[];
  };
  readonly images: readonly {
    readonly reference: string;
    readonly digest: Digest;
    readonly path: string;
    readonly tag: string;
    readonly how: HowFound;
    readonly where: string;
  }[];
}

type LockedSource = Exclude<ChartSource, { type: 'all' }>;

export const chartLock: LockForm<LockedChart, ChartRequest, ChartFacts> = {
  kind: chartKind,
  rowOf: (part, request) => {
    const { name, version, origin, artifact, path, tag, images } = part.facts;
    const { kubeVersion, apiVersions } = request.rendering;
    const { values, imagePaths } = request;
    return {
      ...{ name, version, ...(origin !== undefined && { origin }) },
      ...{ artifact, archive: archiveOf(part), path, tag },
      source: sourceOf(request, version),
      rendered: { kubeVersion, apiVersions, values, imagePaths },
      images: images.map(({ reference, digest: own, path: to, tag: as, how, where }) => ({
        ...{
          reference: formatReference(reference),
          digest: knownDigest(own),
          path: to,
          tag: as,
          how,
          where,
        },
      })),
    };
  },
  read: objectOf<LockedChart>({
    name: text,
    version: text,
    origin: { optional: text },
    artifact: digest,
    archive: digest,
    path: text,
    tag: text,
    source: byType<LockedSource>({
      local: objectOf({ type: oneOf(['local']), path: text }),
      registry: objectOf({ type: oneOf(['registry']), reference: text }),
      repository: objectOf<Extract<LockedSource, { type: 'repository' }>>({
        type: oneOf(['repository']),
        url: text,
        name: text,
        version: { optional: text },
      }),
    }),
    rendered: objectOf<LockedChart['rendered']>({
      kubeVersion: text,
      apiVersions: listOf(text),
      values: listOf(text),
      imagePaths: listOf(text),
    }),
    images: listOf(
      objectOf<LockedChart['images'][number]>({
        reference: text,
        digest,
        path: text,
        tag: text,
        how: oneOf(HOW_FOUND),
        where: text,
      }),
    ),
  }),
  requestOf: (row, { env, chartKeyring }) => {
    const { source, rendered, name, version, origin, artifact, path, tag, images } = row;
    const { kubeVersion, apiVersions, values, imagePaths } = rendered;
    const claim = { name, version, artifact, path, tag, images: images.map((one) => ({ ...one })) };
    return {
      ...{ source, imagePaths, values, images: [] },
      rendering: { kubeVersion, apiVersions, env },
      keyring: chartKeyring,
      locked: readChartClaim({ ...claim, ...(origin !== undefined && { origin }) }),
    };
  },
  tagsIn: ({ source, artifact, images }) => [
    ...(source.type === 'registry'
      ? [[formatReference(parseReference(source.reference)), artifact] as const]
      : []),
    ...images.map(({ reference, digest: own }) => [reference, own] as const),
  ],
};

/** With the version that was chosen, where the newest was asked for. */
function sourceOf({ source }: ChartRequest, version: string): LockedSource {
  if (source.type === 'all') throw new TypeError('a request for many charts is divided first');
  return source.type === 'repository' ? { ...source, version } : source;
}

function archiveOf({ images, label }: Part<ChartFacts>): Digest {
  const chart = images.find(({ request }) => request.role === CHART)?.tree.manifest;
  const layers = chart?.kind === 'manifest' ? chart.layers : [];
  const archive = layers.find(({ mediaType }) => mediaType === CHART_LAYER);
  if (archive !== undefined) return archive.digest;
  throw new BundleError('UNSUPPORTED_CONTENT', `${label} has no archive`);
}
