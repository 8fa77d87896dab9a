import { basename } from 'node:path';

import type { DamageMap } from '../bundle/format/damage-map.ts';
import { blobPath } from '../bundle/format/paths.ts';
import type { Fault } from '../bundle/reading/fault.ts';
import type { Digest } from '../core/digest.ts';
import { imagesHitBy, imagesNeeding } from './audit.ts';
import type { SurveyedBundle } from './open-bundle.ts';

/** The damage of a bundle. */
export interface Damage {
  readonly faults: readonly Fault[];
  /** Configs and layers that are damaged or missing. */
  readonly lost: readonly Digest[];
}

/**
 * The damage map: which bytes, entries and images are bad or missing, and what a patch would have
 * to hold.
 */
export function damageMapOf(bundle: SurveyedBundle, { faults, lost }: Damage): DamageMap {
  const { reader, digest, labels } = bundle;
  const missing = reader.missingVolumes;
  // Without its manifests nobody can tell which of the blobs before the first known layer are
  // configs and layers, too.
  const known = new Set([...reader.metadataDigests, ...reader.layerDigests]);
  const unknown = reader.manifest.blobs
    .map((blob) => blob.digest)
    .filter((blob) => !known.has(blob));
  const damaged = new Set(faults.flatMap(({ entries }) => entries));
  const inMissing = lost.filter((blob) => !damaged.has(blobPath(blob)));
  return {
    name: reader.manifest.name,
    bundleDigest: digest,
    parts: labels,
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
    patch: { metadata: !reader.hasMetadata, blobs: [...unknown, ...lost] },
  };
}
