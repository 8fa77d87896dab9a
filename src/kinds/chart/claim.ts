import { type Digest, digestOf, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import { asArray, asObject, asString, type Json, type JsonObject } from '../../core/json.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { isRepository, isTag } from '../../core/reference.ts';
import type { HoleReason } from '../../bundle/format/manifest.ts';
import { imageRow, type ImageRow, readImageRow } from '../image/image-row.ts';
import type { MadeContent } from '../../building/image.ts';
import { HOW_FOUND, type HowFound } from './images/found-image.ts';

/** An image of a chart, and how it was found. */
export interface ChartImage extends ImageRow {
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
    images: images.map((image) => ({
      ...imageRow(image),
      ...{ how: image.how, where: image.where },
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
  if (how !== undefined) return { ...readImageRow(row), how, where: text('where') };
  throw new BundleError('UNSUPPORTED_CONTENT', `the row of ${text('reference')} is wrong`, {
    ...{ expected: 'how it was found', got: text('how') },
  });
}

/** One chart from two places, or with other images, is two parts. */
export function identityOf(facts: ChartFacts): Digest {
  return digestOf(JSON.stringify(chartClaim(facts)));
}
