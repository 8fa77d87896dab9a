import { basename } from 'node:path';

import type { Fault } from '../bundle/reading/fault.ts';
import { type Digest, digestFromHex, hexOf, parseDigest } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { asArray, asObject, asString, formatJson, parseStrictJson } from '../core/json.ts';
import { readSmallFile } from '../files/small-file.ts';
import { imagesHitBy, imagesNeeding } from './audit.ts';
import type { SurveyedBundle } from './open-bundle.ts';

/** What is wrong with a bundle. */
export interface Damage {
  readonly faults: readonly Fault[];
  /** Layers that are damaged or missing. */
  readonly lost: readonly Digest[];
}

/**
 * What a patch has to hold, as a damage file says. Nobody signs it, and nothing is believed because
 * of it.
 */
export interface Wanted {
  readonly bundleDigest: Digest;
  /** All manifests and configs, and the files among them. */
  readonly metadata: boolean;
  /** Layers; blobs among them that are none are in the metadata. */
  readonly blobs: readonly Digest[];
}

const KIND = 'bundle damage 1';
/** Some tens of thousands of digests. */
const MAX_DAMAGE_BYTES = 8 * 1024 * 1024;

/**
 * The damage map: which bytes, entries and images are bad or missing, and what a patch would have
 * to hold.
 */
export function formatDamage(bundle: SurveyedBundle, { faults, lost }: Damage): Uint8Array {
  const { reader, digest } = bundle;
  const [release] = reader.manifest.releases;
  const missing = reader.missingVolumes;
  // Without its manifests nobody can tell which of the blobs before the first known layer are
  // layers, too.
  const known = new Set([...reader.metadataDigests, ...reader.layerDigests]);
  const unknown = reader.manifest.blobs
    .map((blob) => blob.digest)
    .filter((blob) => !known.has(blob));
  const damaged = new Set(faults.flatMap(({ entries }) => entries));
  const inMissing = lost.filter((blob) => !damaged.has(`blobs/sha256/${hexOf(blob)}`));
  return formatJson({
    kind: KIND,
    bundleDigest: hexOf(digest),
    release: release === undefined ? undefined : `${release.version} ${release.architecture}`,
    faults: faults.map((fault) => ({
      file: basename(fault.path),
      start: fault.start,
      end: fault.end,
      entries: fault.entries,
      images: imagesHitBy(fault, bundle),
      problem: fault.error.message,
    })),
    missingVolumes: missing,
    missingImages:
      missing.length === 0 ? [] : imagesNeeding(inMissing, bundle, missing.includes(1)),
    patch: { metadata: !reader.hasMetadata, blobs: [...unknown, ...lost].map(hexOf) },
  });
}

/** @throws BundleError NOT_FOUND, DISK; CONFIGURATION for a file that is no damage map. */
export async function readDamage(path: string): Promise<Wanted> {
  const content = await readSmallFile(path, MAX_DAMAGE_BYTES);
  try {
    const document = asObject(parseStrictJson(content, path), path);
    if (document['kind'] !== KIND)
      throw new BundleError(
        'UNSUPPORTED_CONTENT',
        `${path} is not what bundle verify --damage writes`,
      );
    const patch = asObject(document['patch'], 'patch');
    return {
      bundleDigest: parseHex(document['bundleDigest']),
      metadata: patch['metadata'] === true,
      blobs: asArray(patch['blobs'], 'blobs').map(parseHex),
    };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new BundleError('CONFIGURATION', error.message, {
      cause: error,
      hint: 'Name the file that `bundle verify --damage FILE` has written.',
    });
  }
}

function parseHex(value: Parameters<typeof asString>[0]): Digest {
  const hex = asString(value, 'digest');
  return /^[0-9a-f]{64}$/.test(hex) ? digestFromHex(hex) : parseDigest(hex);
}
