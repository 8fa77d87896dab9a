import {
  type Fault,
  isDamage,
  METADATA,
  type OnFault,
  PART_ROOT,
} from '../bundle/reading/fault.ts';
import { blobPath, isFilePath } from '../bundle/format/paths.ts';
import { drain } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, digestFromHex } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { missingText } from '../bundle/reading/volume-end.ts';
import type { OnePass } from '../transfer/one-pass.ts';
import type { PlannedImage } from '../transfer/image.ts';
import { verified } from '../transfer/verified.ts';
import type { Context } from '../core/context.ts';
import type { Closure } from '../kinds/closure.ts';
import type { SurveyedBundle } from './open-bundle.ts';
import type { DerivedParts } from './some-parts.ts';

export interface Audited {
  /** Layers that were hashed and are right, and their bytes. */
  readonly good: number;
  readonly goodBytes: number;
  /** Layers that are damaged, or not there whole. */
  readonly lost: readonly Digest[];
}

/** The members of a bundle that an audit needs. */
type Auditable = Pick<SurveyedBundle, 'reader' | 'closure' | 'unchecked' | 'size' | 'path'>;

/**
 * Hashes every config and layer that is there. Damage is reported to `onFault`; layers in missing
 * volumes are only counted.
 */
export async function auditLayers(
  bundle: Auditable,
  onFault: OnFault,
  context: Context,
): Promise<Audited> {
  const { reader, closure, unchecked } = bundle;
  const { observe, signal } = context;
  const { layers } = reader;
  const imageOf = new Map(
    closure?.content.blobs.map(({ descriptor, image }) => [descriptor.digest, image]),
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
    pass && closure?.content.blobs.map(({ descriptor, store }) => [descriptor.digest, store]),
  );
  const lost: Digest[] = [];
  let good = 0;
  let goodBytes = 0;
  let hasBrokenOff = false;
  for (const [index, layer] of layers.entries()) {
    const { digest, size } = layer;
    const image = imageOf.get(digest) ?? 'an image';
    // What could not be read when the bundle was opened has been told, and was never looked at.
    if (unchecked.has(digest) || !(await reader.exists(layer))) {
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
      // Behind the failure of a pipe nothing comes any more.
      const gone = error === pass?.failure ? layers.slice(index) : [layer];
      const entries = gone.map((each) => blobPath(each.digest));
      const told = error === pass?.failure ? withLost(error, gone) : error;
      for (const place of reader.placesOf(digest)) onFault({ ...place, entries, error: told });
      if (error === pass?.failure) {
        hasBrokenOff = true;
        lost.push(...gone.slice(1).map((behind) => behind.digest));
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

/** The failure that ended a pipe, with what has not come. */
function withLost(error: BundleError, gone: readonly Descriptor[]): BundleError {
  const { code, message, hint, expected, got, side } = error;
  return new BundleError(code, `${message}; ${missingText(gone)}`, {
    ...{ hint, expected, got, side, cause: error },
  });
}

/** An image that something is wrong with, and the parts that it belongs to. */
export interface HitImage {
  readonly name: string;
  /** How the parts are called. */
  readonly parts: readonly string[];
}

/**
 * The images that a fault breaks; all of them where manifests are lost, since these say which blobs
 * are whose.
 */
export function imagesHitBy(
  { entries }: Pick<Fault, 'entries'>,
  bundle: Derived,
): readonly HitImage[] {
  const digests = entries.flatMap((entry) => {
    const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(entry)?.[1];
    return hex === undefined ? [] : [digestFromHex(hex)];
  });
  const isPart = entries.includes(PART_ROOT) && bundle.some !== undefined;
  return isPart
    ? imagesOfLost(bundle, bundle.some)
    : imagesNeeding(digests, bundle, entries.some(isMetadataFile));
}

/** The members of a bundle that say which image needs what. */
type Derived = Pick<SurveyedBundle, 'closure' | 'some' | 'reader' | 'labels'>;

/** The images that need one of the blobs. */
export function imagesNeeding(
  digests: readonly Digest[],
  bundle: Derived,
  isAll = false,
): readonly HitImage[] {
  const { closure, some, reader, labels } = bundle;
  if (digests.length === 0 && !isAll) return [];
  if (closure === undefined && some !== undefined && !isAll)
    return imagesOfSome(digests, bundle, some);
  const listed = closure?.content.images ?? reader.manifest.images;
  const wanted = new Set(digests);
  const isHit = (image: PlannedImage): boolean =>
    [...image.manifests, ...image.blobs].some(({ digest }) => wanted.has(digest));
  const hit = closure === undefined || isAll ? listed : closure.content.images.filter(isHit);
  return hit.map(({ name, parts }) => ({ name, parts: parts.map((part) => labels[part]!) }));
}

/** All images of the parts that could not be derived: nobody can tell which blobs they have. */
function imagesOfLost(
  { reader, labels }: Derived,
  { lost }: Pick<DerivedParts, 'lost'>,
): readonly HitImage[] {
  const numbers = lost.map(({ number }) => number);
  return reader.manifest.images
    .filter(({ parts }) => parts.some((part) => numbers.includes(part)))
    .map(({ name, parts }) => ({ name, parts: parts.map((part) => labels[part]!) }));
}

/** Where only some parts could be derived: their images that need a blob, and all of the others. */
function imagesOfSome(
  digests: readonly Digest[],
  bundle: Derived,
  some: DerivedParts,
): readonly HitImage[] {
  const { closure } = some;
  const labels = closure.parts.map(({ label }) => label);
  const hit = imagesNeeding(digests, { ...bundle, closure, some: undefined, labels });
  const lost = imagesOfLost(bundle, some);
  const names = new Set(lost.map(({ name }) => name));
  return [...lost, ...hit.filter(({ name }) => !names.has(name))];
}

/**
 * The parts, by their numbers in `closure`, of which more than configs and layers is known to be
 * damaged or missing before any blob is read. What is lost of these the target may have.
 */
export function incompleteParts(
  closure: Closure,
  { reader }: Pick<SurveyedBundle, 'reader'>,
  faults: readonly Fault[],
): ReadonlySet<number> {
  const labels = closure.parts.map((_, number) => String(number));
  const named = { closure, some: undefined, reader, labels };
  const isHit = reader.missingVolumes.includes(1);
  const hit = isHit ? closure.content.images.flatMap(({ parts }) => parts) : [];
  // What these parts begin with is whole: that of another part is none of theirs.
  const own = faults.filter(({ entries }) => !entries.includes(PART_ROOT));
  const layers = new Set(reader.layerDigests.map(blobPath));
  for (const { entries } of own) {
    const others = entries.filter((entry) => !layers.has(entry));
    for (const { parts } of imagesHitBy({ entries: others }, named)) hit.push(...parts.map(Number));
  }
  return new Set(hit);
}

/** Files that every image depends on, though they are not blobs. */
function isMetadataFile(entry: string): boolean {
  return entry === METADATA || entry === PART_ROOT || isFilePath(entry);
}
