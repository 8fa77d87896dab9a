import { type Fault, isDamage, type OnFault, RELEASE_IMAGE } from '../bundle/reading/fault.ts';
import { blobPath } from '../bundle/format/paths.ts';
import { drain } from '../core/bytes.ts';
import { type Digest, digestFromHex } from '../core/digest.ts';
import type { OnePass } from '../transfer/one-pass.ts';
import { imagesUsing } from '../transfer/plan.ts';
import { verified } from '../transfer/verified.ts';
import type { Context } from '../core/context.ts';
import type { SurveyedBundle } from './open-bundle.ts';

export interface Audited {
  /** Layers that were hashed and are right, and their bytes. */
  readonly good: number;
  readonly goodBytes: number;
  /** Layers that are damaged, or not there whole. */
  readonly lost: readonly Digest[];
}

/** What of a bundle an audit needs. */
type Auditable = Pick<SurveyedBundle, 'reader' | 'release' | 'size' | 'path'>;

/**
 * Hashes every layer that is there. What is damaged is told to `onFault`; what lies in missing
 * volumes is only counted.
 */
export async function auditLayers(
  bundle: Auditable,
  onFault: OnFault,
  context: Context,
): Promise<Audited> {
  const { reader, release } = bundle;
  const { observe, signal } = context;
  const { layers } = reader;
  const imageOf = new Map(
    release?.content.layers.map(({ descriptor, image }) => [descriptor.digest, image]),
  );
  observe({
    type: 'planned',
    blobs: layers.length,
    bytes: layers.reduce((total, { size }) => total + size, 0),
    images: reader.manifest.images.length,
  });
  observe({ type: 'phase', what: 'hashing every layer' });
  const { pass } = reader;
  pass?.beginSettling();
  // Out of a pipe by way of what may not be given out unchecked; out of files by no other way than
  // the files.
  const storeOf = new Map(
    pass && release?.content.layers.map(({ descriptor, store }) => [descriptor.digest, store]),
  );
  const lost: Digest[] = [];
  let good = 0;
  let goodBytes = 0;
  let hasBrokenOff = false;
  for (const [index, layer] of layers.entries()) {
    const { digest, size } = layer;
    const image = imageOf.get(digest) ?? 'an image';
    if (!(await reader.exists(layer))) {
      lost.push(digest);
      continue;
    }
    observe({ type: 'started', digest, bytes: size, image });
    try {
      await drain(
        verified((storeOf.get(digest) ?? reader).fetch(layer, { signal }), layer),
        (bytes) => {
          observe({ type: 'advanced', bytes });
        },
      );
      good += 1;
      goodBytes += size;
    } catch (error) {
      if (!isDamage(error)) throw error;
      lost.push(digest);
      for (const place of reader.placesOf(digest))
        onFault({ ...place, entries: [blobPath(digest)], error });
      if (error === pass?.failure) {
        hasBrokenOff = true;
        // Nothing comes any more.
        lost.push(...layers.slice(index + 1).map((behind) => behind.digest));
        break;
      }
    }
    pass?.settle(digest);
    observe({ type: 'finished', digest, bytes: size, image });
  }
  if (pass !== undefined && !hasBrokenOff) await checkEndOfPass(pass, bundle, onFault);
  return { good, goodBytes, lost };
}

/**
 * Waits for what comes behind the last layer. A short stream mostly ends, well or badly, while its
 * layers are still being hashed: only waiting tells which.
 */
async function checkEndOfPass(
  pass: OnePass,
  { reader, size, path }: Auditable,
  onFault: OnFault,
): Promise<void> {
  try {
    await pass.finish();
  } catch (error) {
    if (!isDamage(error)) throw error;
    const last = reader.layerDigests.at(-1);
    const start = (last && reader.placesOf(last)[0]?.end) ?? 0;
    onFault({ path, start, end: Math.max(start, size), entries: ['the end of the bundle'], error });
  }
}

/**
 * Names of the images that a fault breaks; all of them where manifests are lost, since these say
 * which layers are whose.
 */
export function imagesHitBy(
  { entries }: Pick<Fault, 'entries'>,
  { release, reader }: SurveyedBundle,
): readonly string[] {
  const digests = entries.flatMap((entry) => {
    const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(entry)?.[1];
    return hex === undefined ? [] : [digestFromHex(hex)];
  });
  return imagesNeeding(digests, { release, reader }, entries.some(isMetadataFile));
}

/** Names of the images that need one of the blobs. */
export function imagesNeeding(
  digests: readonly Digest[],
  { release, reader }: Pick<SurveyedBundle, 'release' | 'reader'>,
  isAll = false,
): readonly string[] {
  if (digests.length === 0 && !isAll) return [];
  if (release === undefined || isAll) return reader.manifest.images.map(({ name }) => name);
  const hit = new Set(digests.flatMap((digest) => imagesUsing(release.content, digest)));
  return release.content.images.map(({ name }) => name).filter((name) => hit.has(name));
}

/** What no image can do without, though it is no blob. */
function isMetadataFile(entry: string): boolean {
  return (
    entry === 'manifests and configs' || entry === RELEASE_IMAGE || entry.startsWith('config/')
  );
}
