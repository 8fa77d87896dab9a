import { type Digest, digestFromHex, hexOf, parseDigest } from '../../core/digest.ts';
import { BundleError } from '../../core/errors.ts';
import {
  asArray,
  asObject,
  asSize,
  asString,
  formatJson,
  type Json,
  type JsonObject,
  parseStrictJson,
} from '../../core/json.ts';
import { type BundledHole, HOLE_REASONS, type HoleReason } from './manifest.ts';

/** Some tens of thousands of digests. */
export const MAX_DAMAGE_BYTES = 8 * 1024 * 1024;

/**
 * The content that a patch has to hold, according to a damage map. A damage map is not signed, so
 * it never makes anything trusted.
 */
export interface Wanted {
  /** The name of the damaged bundle. */
  readonly name: string;
  readonly bundleDigest: Digest;
  /** All manifests, and the files among them. */
  readonly metadata: boolean;
  /** Configs and layers. A manifest among them is in the metadata. */
  readonly blobs: readonly Digest[];
  /** What the damaged bundle went without: one that has more is another one. */
  readonly without: WentWithout;
}

/** An image that a bundle does not have. */
export type LackedImage = Pick<BundledHole, 'name' | 'source' | 'reason' | 'lacks' | 'size'>;

/** What was left out of a part since an image of it was missing. */
export interface DroppedFrom {
  /** The name by which the part was asked for. */
  readonly part: string;
  readonly name: string;
  /** The image that was missing. */
  readonly image: string;
  readonly reason: HoleReason;
  readonly lacks?: Digest;
}

/** What a bundle went without when it was packed. */
export interface WentWithout {
  readonly images: readonly LackedImage[];
  readonly dropped: readonly DroppedFrom[];
}

/** An image that cannot be had whole, and the parts that it belongs to. */
export interface DamagedImage {
  readonly name: string;
  readonly parts: readonly string[];
}

/** The damage of a bundle: which bytes, entries and images are bad or missing. */
export interface DamageMap {
  readonly name: string;
  readonly bundleDigest: Digest;
  /** How the parts of the bundle are called. */
  readonly parts: readonly string[];
  readonly faults: readonly {
    readonly file: string;
    readonly start: number;
    readonly end: number;
    readonly entries: readonly string[];
    readonly images: readonly DamagedImage[];
    readonly problem: string;
  }[];
  readonly missingVolumes: readonly number[];
  readonly missingImages: readonly DamagedImage[];
  readonly without: WentWithout;
  readonly patch: Pick<Wanted, 'metadata' | 'blobs'>;
}

const KIND = 'bundle damage 1';

export function formatDamageMap({
  name,
  bundleDigest,
  without,
  patch,
  ...map
}: DamageMap): Uint8Array {
  const { images, dropped } = without;
  return formatJson({
    kind: KIND,
    name,
    bundleDigest: hexOf(bundleDigest),
    ...map,
    ...(images.length + dropped.length > 0 && { without: { images, dropped } }),
    patch: { metadata: patch.metadata, blobs: patch.blobs.map(hexOf) },
  });
}

/**
 * The half of a damage map that a patch is made by.
 * @param path for messages.
 * @throws BundleError CONFIGURATION for a file that is no damage map.
 */
export function parseDamageMap(content: Uint8Array, path: string): Wanted {
  try {
    const document = asObject(parseStrictJson(content, path), path);
    if (document['kind'] !== KIND) {
      throw new BundleError(
        'UNSUPPORTED_CONTENT',
        `${path} is not a file that bundle verify --damage wrote`,
      );
    }
    const patch = asObject(document['patch'], 'patch');
    return {
      name: asString(document['name'], 'name'),
      bundleDigest: parseHex(document['bundleDigest']),
      metadata: patch['metadata'] === true,
      blobs: asArray(patch['blobs'], 'blobs').map(parseHex),
      without: parseWithout(asObject(document['without'] ?? {}, 'without')),
    };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new BundleError('CONFIGURATION', error.message, {
      cause: error,
      hint: 'Name the file that bundle verify --damage FILE has written.',
    });
  }
}

function parseWithout({ images = [], dropped = [] }: JsonObject): WentWithout {
  return {
    images: asArray(images, 'without.images').map((entry) => {
      const { name, source, size, ...cause } = asObject(entry, 'without.images');
      return {
        name: asString(name, 'name'),
        source: asString(source, 'source'),
        ...parseCause(cause),
        ...(size !== undefined && { size: asSize(size, 'size') }),
      };
    }),
    dropped: asArray(dropped, 'without.dropped').map((entry) => {
      const { part, name, image, ...cause } = asObject(entry, 'without.dropped');
      return {
        part: asString(part, 'part'),
        name: asString(name, 'name'),
        image: asString(image, 'image'),
        ...parseCause(cause),
      };
    }),
  };
}

function parseCause({ reason, lacks }: JsonObject): Pick<LackedImage, 'reason' | 'lacks'> {
  const known = HOLE_REASONS.find((one) => one === reason);
  if (known === undefined) {
    const expected = HOLE_REASONS.join(', ');
    throw new BundleError('UNSUPPORTED_CONTENT', 'without: a reason is none', { expected });
  }
  return { reason: known, ...(lacks !== undefined && { lacks: parseDigest(lacks) }) };
}

function parseHex(value: Json | undefined): Digest {
  const hex = asString(value, 'digest');
  return /^[0-9a-f]{64}$/.test(hex) ? digestFromHex(hex) : parseDigest(hex);
}
