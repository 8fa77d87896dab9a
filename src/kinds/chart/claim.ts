import { type Digest, digestOf, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asArray, asObject, asString, type Json, type JsonObject } from '../../core/json.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { formatReference, isRepository, isTag } from '../../core/reference.ts';
import type { HoleReason } from '../../bundle/format/manifest.ts';
import { imageRequest, type ImagePartRequest } from '../image/request.ts';
import type { MadeContent } from '../../building/image.ts';
import { HOW_FOUND, type HowFound } from './images/found-image.ts';

/** An image of a chart, and how it was found. */
export interface ChartImage extends ImagePartRequest {
  /** `undefined` where its tag could not be resolved, and the bundle may lack it. */
  readonly digest: Digest | undefined;
  /** Why that is so, where it was asked for. */
  readonly absent?: HoleReason | undefined;
  readonly how: HowFound;
  /** The annotation, the file or the template that names it. */
  readonly where: string;
}

/** What a chart follows from, and what reports say of it. */
export interface ChartFacts {
  readonly name: string;
  readonly version: string;
  /** How others ask for it, as `--chart` takes it; `undefined` for one of the packer's machine. */
  readonly origin: string | undefined;
  /** The artifact that it travels as. */
  readonly artifact: Digest;
  /** Where it goes, below all that is delivered. */
  readonly path: string;
  readonly tag: string;
  readonly images: readonly ChartImage[];
}

export interface ChartSeed extends ChartFacts {
  /** As its store gives it; asked for if it is left out. */
  readonly descriptor?: Descriptor;
  /** What was made of a chart that no registry has. */
  readonly made: readonly MadeContent[];
}

/** The row of a chart in `bundle.json`. */
export function chartClaim(facts: ChartFacts): JsonObject {
  const { name, version, origin, artifact, path, tag, images } = facts;
  return {
    ...{ name, version, ...(origin !== undefined && { origin }), artifact, path, tag },
    images: images.map(({ reference, digest, path: to, tag: as, how, where }) => ({
      reference: formatReference(reference),
      ...(digest !== undefined && { digest }),
      ...{ path: to, tag: as, how, where },
    })),
  };
}

/** @throws BundleError UNSUPPORTED_CONTENT, USAGE for a row that packing would not write. */
export function readChartClaim(claim: JsonObject): ChartSeed {
  const text = (key: string): string => asString(claim[key], `the ${key} of a chart`);
  const [path, tag] = [text('path'), text('tag')];
  if (!isRepository(path) || !isTag(tag)) {
    throw new BundleError('UNSUPPORTED_CONTENT', 'the row of a chart names no place', {
      ...{ expected: 'a path and a tag', got: `${path}:${tag}` },
    });
  }
  return {
    ...{ name: text('name'), version: text('version'), path, tag, made: [] },
    origin: claim['origin'] === undefined ? undefined : text('origin'),
    artifact: parseDigest(claim['artifact']),
    images: asArray(claim['images'], 'the images of a chart').map(imageIn),
  };
}

function imageIn(value: Json): ChartImage {
  const row = asObject(value, 'an image of a chart');
  const text = (key: string): string => asString(row[key], `the ${key} of an image of a chart`);
  const how = HOW_FOUND.find((one) => one === row['how']);
  const digest = row['digest'] === undefined ? undefined : parseDigest(row['digest']);
  const request = imageRequest(text('reference'), { path: text('path'), tag: text('tag') });
  const stated = request.reference.digest;
  if (how === undefined || (stated !== undefined && stated !== digest)) {
    throw new BundleError('UNSUPPORTED_CONTENT', `the row of ${text('reference')} is wrong`, {
      ...{
        expected: 'how it was found, and its digest',
        got: `${text('how')}, ${digest ?? 'none'}`,
      },
    });
  }
  return { ...request, digest, how, where: text('where') };
}

/** One chart from two places, or with other images, is two parts. */
export function identityOf(facts: ChartFacts): Digest {
  return digestOf(JSON.stringify(chartClaim(facts)));
}
