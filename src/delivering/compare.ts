import { drain } from '../core/bytes.ts';
import { type Limit, mapLimited } from '../core/concurrency.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { type BundleError, hasCode } from '../core/errors.ts';
import type { Observe } from '../core/events.ts';
import type { ReadOnlyStore } from '../core/store.ts';
import { isListed } from '../transfer/copy-manifests.ts';
import type { PlannedImage } from '../transfer/image.ts';
import { onSide } from '../transfer/sides.ts';
import { twiceIfWrong, verified } from '../transfer/verified.ts';

/**
 * What is wrong with something at a place: it is not there; a tag names another image; the bytes
 * are not those of the digest; or the place fails whenever it is asked for just this.
 */
export type Flaw = 'absent' | 'other' | 'damaged' | 'unreadable';

/** A tag, manifest, blob or listing that a place does not give as it should. */
export interface Difference {
  /** `listing`: a referrer that its subject does not list. */
  readonly what: 'tag' | 'manifest' | 'blob' | 'listing';
  readonly flaw: Flaw;
  /** The place, and the tag or digest that it was asked for. */
  readonly subject: string;
  /** The digest that should be there. */
  readonly digest: Digest;
  /** What the place gives instead, or says. */
  readonly got: string | undefined;
  /** The images that need it. */
  readonly images: readonly PlannedImage[];
}

export interface Compared {
  readonly tags: number;
  readonly manifests: number;
  /** Configs and layers; what two places hold is counted for each of them. */
  readonly blobs: number;
  /** Bytes of these blobs, and how many of them were read and hashed. */
  readonly bytes: number;
  readonly bytesRead: number;
  readonly differences: readonly Difference[];
}

export interface CompareOptions {
  /** Reads every byte. Else a place is asked for the last byte of a blob that is not small. */
  readonly deep: boolean;
  /** Blobs that are read at a time. */
  readonly concurrency: Limit;
  /** Small requests at a time. */
  readonly lookups: Limit;
  readonly signal: AbortSignal;
  readonly observe: Observe;
}

/** Something that a place should give, and how it does. */
interface Check {
  readonly what: Difference['what'];
  readonly place: ReadOnlyStore;
  readonly subject: string;
  readonly descriptor: Descriptor;
  readonly images: PlannedImage[];
  readonly look: (signal: AbortSignal) => Promise<Finding | undefined>;
}

type Finding = Pick<Difference, 'flaw' | 'got'> & {
  /** Only of what is `unreadable`. */
  readonly error?: BundleError;
};

/**
 * Compares places with the images that should be there: every tag, manifest, blob, and every
 * listing of a referrer. Manifests are always read whole and hashed.
 * @throws BundleError of a place that cannot be asked: NOT_ALLOWED, NETWORK, …
 */
export async function compareImages(
  images: readonly PlannedImage[],
  placeOf: (image: PlannedImage) => ReadOnlyStore,
  options: CompareOptions,
): Promise<Compared> {
  const { deep, concurrency, lookups, observe } = options;
  const small = new Map<string, Check>();
  const blobs = new Map<string, Check>();
  let bytesRead = 0;
  const add = (checks: Map<string, Check>, check: Check): void => {
    const key = `${check.what} ${check.subject}`;
    const known = checks.get(key);
    if (known === undefined) checks.set(key, check);
    else known.images.push(...check.images);
  };
  const read = (bytes: number): void => {
    bytesRead += bytes;
    observe({ type: 'advanced', bytes });
  };
  for (const image of images) {
    const place = placeOf(image);
    const of = (descriptor: Descriptor): Omit<Check, 'what' | 'look'> => ({
      ...{ place, descriptor, images: [image] },
      subject: `${place.name}@${descriptor.digest}`,
    });
    for (const tag of image.tags) {
      const subject = `${place.name}:${tag}`;
      const look = (signal: AbortSignal): Promise<Finding | undefined> =>
        flawOfTag(place, tag, image.descriptor.digest, signal);
      add(small, { ...of(image.descriptor), what: 'tag', subject, look });
    }
    for (const descriptor of image.manifests) {
      const look = (signal: AbortSignal): Promise<Finding | undefined> =>
        flawOfManifest(place, descriptor, { signal, observe });
      add(small, { ...of(descriptor), what: 'manifest', look });
    }
    if (image.attachment === 'referrer') {
      const look = (signal: AbortSignal): Promise<Finding | undefined> =>
        flawOfListing(place, image, signal);
      add(small, { ...of(image.descriptor), what: 'listing', look });
    }
    for (const descriptor of image.blobs) {
      const look = (signal: AbortSignal): Promise<Finding | undefined> =>
        deep
          ? flawOfBlob(place, descriptor, { image: image.name, signal, observe, read })
          : flawUnlessHeld(place, descriptor, { signal, observe });
      add(blobs, { ...of(descriptor), what: 'blob', look });
    }
  }
  const bytes = [...blobs.values()].reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  observe({ type: 'phase', what: 'asking for manifests and tags' });
  const found = await lookAll([...small.values()], 'manifests', lookups, options);
  refuseUnreadable(found);
  observe({ type: 'phase', what: deep ? 'reading every blob' : 'asking for blobs' });
  if (deep) observe({ type: 'planned', blobs: blobs.size, bytes, images: images.length });
  const counts = deep ? undefined : 'blobs';
  const limit = deep ? concurrency : lookups;
  const foundBlobs = await lookAll([...blobs.values()], counts, limit, options);
  refuseUnreadable(foundBlobs);
  found.push(...foundBlobs);
  const number = (what: Check['what']): number =>
    [...small.values()].filter((check) => check.what === what).length;
  return {
    ...{ tags: number('tag'), manifests: number('manifest'), blobs: blobs.size },
    ...{ bytes, bytesRead, differences: found.flatMap(({ difference }) => difference ?? []) },
  };
}

/** What came of a check. */
interface Looked {
  readonly place: ReadOnlyStore;
  /** `undefined` where the place gives what it should. */
  readonly difference: Difference | undefined;
  readonly error: BundleError | undefined;
}

/** @param counted what the progress counts; nothing where bytes are counted. */
async function lookAll(
  checks: readonly Check[],
  counted: string | undefined,
  limit: Limit,
  { signal, observe }: CompareOptions,
): Promise<Looked[]> {
  let done = 0;
  return mapLimited(
    checks,
    limit,
    async ({ look, what, place, subject, descriptor, images }, combined) => {
      const finding = await look(combined).catch(unreadable);
      done += 1;
      if (counted !== undefined)
        observe({ type: 'counted', what: counted, done, total: checks.length });
      if (finding === undefined) return { place, difference: undefined, error: undefined };
      const { flaw, got, error } = finding;
      const { digest } = descriptor;
      return { place, difference: { what, flaw, subject, digest, got, images }, error };
    },
    signal,
  );
}

/**
 * What a place says of one thing is a finding, and the rest is asked for nevertheless. A place that
 * lets nobody ask, or cannot be reached, ends the comparison.
 */
function unreadable(error: unknown): Finding {
  if (hasCode(error, 'REGISTRY')) return { flaw: 'unreadable', got: error.message, error };
  throw onSide(error, 'target');
}

/**
 * A place of which nothing can be read has not lost its content: it is no registry, or it fails.
 * @throws BundleError what it said first.
 */
function refuseUnreadable(found: readonly Looked[]): void {
  for (const place of new Set(found.map((one) => one.place))) {
    const errors = found.filter((one) => one.place === place).map(({ error }) => error);
    if (errors[0] !== undefined && !errors.includes(undefined)) throw onSide(errors[0], 'target');
  }
}

async function flawOfTag(
  place: ReadOnlyStore,
  tag: string,
  expected: Digest,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  try {
    const { digest } = await place.resolve(tag, { signal });
    return digest === expected ? undefined : { flaw: 'other', got: digest };
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return { flaw: 'absent', got: undefined };
    if (isOfContent(error)) return { flaw: 'damaged', got: error.message };
    throw error;
  }
}

async function flawOfListing(
  place: ReadOnlyStore,
  image: PlannedImage,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  if (await isListed(image, place, signal)) return undefined;
  return { flaw: 'absent', got: `${image.subject ?? 'its subject'} does not list it` };
}

/**
 * Something that the place does not hold is asked for once more: its content tells why not. Content
 * that is right then came by another way, as that of a manifest by its tag: what the place gives for
 * the digest decides.
 */
async function flawUnlessHeld(
  place: ReadOnlyStore,
  descriptor: Descriptor,
  options: ReadOptions,
): Promise<Finding | undefined> {
  const { signal } = options;
  const isHeld = async (): Promise<boolean> => place.exists(descriptor, { signal });
  if (await isHeld()) return undefined;
  try {
    const finding = await flawOfContent(place, descriptor, options);
    if (finding !== undefined || (await isHeld())) return finding;
    return { flaw: 'damaged', got: 'other content when it is asked for by its digest' };
  } catch (error) {
    // The place has just answered: it breaks off when it gives this.
    if (hasCode(error, 'NETWORK')) return { flaw: 'damaged', got: error.message };
    throw error;
  }
}

/** It is asked for by its digest, though its bytes may be known already from its tag. */
async function flawOfManifest(
  place: ReadOnlyStore,
  descriptor: Descriptor,
  options: ReadOptions,
): Promise<Finding | undefined> {
  return (
    (await flawUnlessHeld(place, descriptor, options)) ??
    (await flawOfContent(place, descriptor, options))
  );
}

/** A blob that is read whole, unless the place does not hold even its end. */
async function flawOfBlob(
  place: ReadOnlyStore,
  descriptor: Descriptor,
  options: ReadOptions & { readonly image: string },
): Promise<Finding | undefined> {
  const { image, signal, observe } = options;
  const { digest, size: bytes } = descriptor;
  const finding = await flawUnlessHeld(place, descriptor, { signal, observe });
  if (finding !== undefined) return finding;
  observe({ type: 'started', digest, bytes, image });
  const read = await flawOfContent(place, descriptor, options);
  observe({ type: 'finished', digest, bytes, image });
  return read;
}

interface ReadOptions {
  readonly signal: AbortSignal;
  readonly observe: Observe;
  /** Counts bytes that were read; negative where they are read again. */
  readonly read?: (bytes: number) => void;
}

/** Reads something to its end. */
async function flawOfContent(
  place: ReadOnlyStore,
  descriptor: Descriptor,
  { signal, observe, read }: ReadOptions,
): Promise<Finding | undefined> {
  let counted = 0;
  const readOnce = async (): Promise<void> => {
    read?.(-counted);
    counted = 0;
    await drain(verified(place.fetch(descriptor, { signal }), descriptor), (bytes) => {
      counted += bytes;
      read?.(bytes);
    });
  };
  try {
    await twiceIfWrong(place, readOnce, `read ${descriptor.digest}`, observe);
    return undefined;
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return { flaw: 'absent', got: undefined };
    if (isOfContent(error)) return { flaw: 'damaged', got: error.got ?? error.message };
    throw error;
  }
}

function isOfContent(error: unknown): error is BundleError {
  return hasCode(error, 'CONTENT_MISMATCH') || hasCode(error, 'UNSUPPORTED_CONTENT');
}
