import { basename } from 'node:path';

import type { DamageMap, DroppedFrom, WentWithout } from '../bundle/format/damage-map.ts';
import type { BundleManifest } from '../bundle/format/manifest.ts';
import { blobPath } from '../bundle/format/paths.ts';
import type { Fault } from '../bundle/reading/fault.ts';
import type { Digest } from '../core/digest.ts';
import { dropsOfClaim } from '../kinds/holes.ts';
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
    without: withoutOf(reader.manifest),
    patch: { metadata: !reader.hasMetadata, blobs: [...unknown, ...lost] },
  };
}

/** What a bundle says that it went without: a patch for it is made without the same. */
function withoutOf({ holes = [], parts }: BundleManifest): WentWithout {
  const dropped = parts.flatMap(({ claim }): readonly DroppedFrom[] => {
    const { reference: part } = claim;
    if (typeof part !== 'string') return [];
    return [...dropsOfClaim(claim)].map(([name, drop]) => ({ part, name, ...drop }));
  });
  const images = holes.map(({ name, source, reason, lacks, size }) => ({
    ...{ name, source, reason },
    ...(lacks !== undefined && { lacks }),
    ...(size !== undefined && { size }),
  }));
  return { images, dropped };
}
