import { basename } from 'node:path';

import { BundleFile } from '../bundle/file.ts';
import { readLayer } from '../bundle/layer.ts';
import type { BundlePlan, PlannedLayer, Seal } from '../bundle/plan.ts';
import { SealedBundle } from '../bundle/reader.ts';
import { storedOffset } from '../bundle/stored.ts';
import { BundleWriter } from '../bundle/writer.ts';
import type { ByteStream } from '../core/bytes.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, hexOf } from '../core/digest.ts';
import { BundleError, hasCode } from '../core/errors.ts';
import type { PlannedBlob } from '../core/plan.ts';
import type { FetchOptions, ReadOnlyStore } from '../core/store.ts';
import { verified } from '../core/verified.ts';
import type { SigningKey } from '../trust/keys.ts';
import type { Context } from './context.ts';

/** A bundle that was begun, with what is left to do. */
export interface Resumed {
  readonly writer: BundleWriter;
  /** Layers that are still to be appended, the first of them with a store that knows what the file has of it already. */
  readonly rest: readonly PlannedBlob[];
  /** Layers that were kept, and their bytes. */
  readonly kept: { readonly layers: number; readonly bytes: number };
  /** To be closed when the writer is done. */
  readonly close: () => Promise<void>;
}

/**
 * The signature of a bundle that was begun under this name and can be continued; `undefined` when there is none, or not
 * even its head is whole.
 * @param path of the unfinished or finished file.
 * @throws BundleError USAGE when it holds other content, or another key signed it.
 */
export async function findSeal(path: string, bundleDigest: Digest, key: SigningKey): Promise<Seal | undefined> {
  let sealed: SealedBundle;
  try {
    sealed = await SealedBundle.open(path);
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND') || hasCode(error, 'BUNDLE_UNUSABLE')) return undefined;
    throw error;
  }
  await sealed.close();
  const hint = '--restart begins anew and drops it; another folder keeps both.';
  if (sealed.digest !== bundleDigest) {
    throw new BundleError('USAGE', `${basename(path)} holds other content than this release has now`, {
      expected: hexOf(bundleDigest),
      got: hexOf(sealed.digest),
      hint,
    });
  }
  if (key.public.pem !== Buffer.from(sealed.publicKey).toString()) {
    throw new BundleError('USAGE', `${basename(path)} was signed with another key`, { got: key.public.id, hint });
  }
  key.public.verify(sealed.sums, sealed.signature);
  return sealed.seal;
}

/**
 * Reads an unfinished bundle back, keeps every layer up to the first that is not whole and right, and cuts off the rest.
 * @throws BundleError DISK, INTERRUPTED
 */
export async function resume(
  path: string,
  plan: BundlePlan,
  layers: readonly PlannedBlob[],
  context: Context,
): Promise<Resumed | undefined> {
  const partialPath = BundleWriter.partialOf(path);
  const file = await BundleFile.open(partialPath);
  try {
    if (!(await beginsWith(file, plan.head))) {
      await file.close();
      return undefined;
    }
    const writer = await BundleWriter.reopen(path, plan);
    context.observe({ type: 'phase', what: `reading back ${basename(partialPath)}` });
    const count = await adoptLayers(writer, file, plan.layers, layers, context);
    const next = plan.layers[count];
    const end = next === undefined ? plan.size : next.offset + storedOffset(next.header.length + next.size);
    await writer.truncate(Math.min(file.size, end));
    const [first, ...others] = layers.slice(count);
    const rest = first && next ? [{ ...first, store: new ContinuedLayer(file, next, first.store) }, ...others] : [];
    const bytes = layers.slice(0, count).reduce((total, { descriptor }) => total + descriptor.size, 0);
    return { writer, rest, kept: { layers: count, bytes }, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Checks a finished bundle against its plan, byte for byte.
 * @returns the SHA-256 of the file, or `undefined` when it is not what it should be.
 */
export async function checkFinished(
  path: string,
  plan: BundlePlan,
  layers: readonly PlannedBlob[],
  context: Context,
): Promise<Digest | undefined> {
  const file = await BundleFile.open(path);
  try {
    if (file.size !== plan.size || !(await beginsWith(file, plan.head))) return undefined;
    const reader = await BundleWriter.examine(path, plan);
    try {
      context.observe({ type: 'phase', what: `reading back ${basename(path)}` });
      const count = await adoptLayers(reader, file, plan.layers, layers, context);
      const tail = await file.read(plan.size - plan.tail.length, plan.tail.length);
      if (count < layers.length || Buffer.compare(tail, plan.tail) !== 0) return undefined;
      return reader.digestOfFinished();
    } finally {
      await reader.close();
    }
  } finally {
    await file.close();
  }
}

async function beginsWith(file: BundleFile, head: readonly Uint8Array[]): Promise<boolean> {
  const expected = Buffer.concat(head);
  return file.size >= expected.length && Buffer.compare(await file.read(0, expected.length), expected) === 0;
}

/** @returns how many layers from the first on are whole and right. */
async function adoptLayers(
  writer: BundleWriter,
  file: BundleFile,
  places: readonly PlannedLayer[],
  layers: readonly PlannedBlob[],
  { signal, observe }: Context,
): Promise<number> {
  for (const [index, place] of places.entries()) {
    const { descriptor } = place;
    const { digest, size: bytes } = descriptor;
    try {
      await writer.adopt(descriptor, verified(readLayer(file, place, { start: 0, end: bytes }, signal), descriptor));
    } catch (error) {
      if (!hasCode(error, 'BUNDLE_UNUSABLE') && !hasCode(error, 'CONTENT_MISMATCH')) throw error;
      return index;
    }
    observe({ type: 'skipped', digest, bytes, image: layers[index]!.image });
  }
  return places.length;
}

/**
 * A store that takes the beginning of one layer from the file that is being continued, as far as it goes there, and
 * everything else from where it comes from. What it gives is checked like anything that is fetched; content that was
 * wrong is asked for again whole, and then comes from the origin alone.
 */
class ContinuedLayer implements ReadOnlyStore {
  readonly #file: BundleFile;
  readonly #place: PlannedLayer;
  readonly #origin: ReadOnlyStore;

  constructor(file: BundleFile, place: PlannedLayer, origin: ReadOnlyStore) {
    this.#file = file;
    this.#place = place;
    this.#origin = origin;
  }

  get name(): string {
    return this.#origin.name;
  }

  fetch(descriptor: Descriptor, options: FetchOptions = {}): ByteStream {
    const { range, signal } = options;
    const isHere = range !== undefined && this.#place.offset + storedOffset(this.#place.header.length + range.end) <= this.#file.size;
    return isHere ? readLayer(this.#file, this.#place, range, signal) : this.#origin.fetch(descriptor, options);
  }

  exists: ReadOnlyStore['exists'] = (descriptor, options) => this.#origin.exists(descriptor, options);
  resolve: ReadOnlyStore['resolve'] = (reference, options) => this.#origin.resolve(reference, options);
  tags: ReadOnlyStore['tags'] = (options) => this.#origin.tags(options);
}
