import { basename } from 'node:path';

import { BundleFile, type VolumeSource } from '../../bundle/reading/file.ts';
import { readLayer } from '../../bundle/reading/layer.ts';
import { storedSectionLength } from '../../bundle/format/layout.ts';
import { volumeNames } from '../../bundle/format/names.ts';
import type { BundlePlan, PlannedLayer, VolumePlan } from '../../bundle/format/plan.ts';
import { storedOffset } from '../../bundle/format/stored.ts';
import { headerLength } from '../../bundle/format/tar.ts';
import { VolumeWriter } from '../../bundle/writing/volume-writer.ts';
import { BundleWriter, type WriterOptions } from '../../bundle/writing/writer.ts';
import type { ByteStream } from '../../core/bytes.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { hasCode } from '../../core/errors.ts';
import type { FetchOptions } from '../../core/store.ts';
import { verified } from '../../transfer/verified.ts';
import type { BegunFile } from './begun.ts';
import type { Context } from '../../core/context.ts';
import { BeforeOrigin, continued } from './continued.ts';

/** A bundle that was begun, with what is left to do. */
export interface Resumed {
  readonly writer: BundleWriter;
  /**
   * Layers that are still to be appended, with stores that know what the files have of them
   * already.
   */
  readonly rest: readonly PlannedLayer[];
  /** Layers that were kept, and their bytes. */
  readonly kept: { readonly layers: number; readonly bytes: number };
  /** To be closed when the writer is done. */
  readonly close: () => Promise<void>;
}

/** A bundle that is to be written, and what was found under its name. */
export interface BegunBundle {
  readonly path: string;
  readonly plan: BundlePlan;
  readonly files: readonly BegunFile[];
}

/**
 * Opens a bundle for writing, with what earlier runs have left of it: that is read back, and every
 * layer up to the first that is not whole and right is kept.
 * @throws BundleError DISK, INTERRUPTED, and of a layer that begins in a volume which is not to be
 * written, and is fetched for that.
 */
export async function resume(
  { path, plan, files }: BegunBundle,
  options: WriterOptions & { readonly only: { readonly start: number; readonly end: number } },
  context: Context,
): Promise<Resumed> {
  const { only } = options;
  const sources: (VolumeSource | undefined)[] = plan.volumes.map(() => undefined);
  const begun = new Map<number, VolumeWriter>();
  const close = async (): Promise<void> => {
    for (const source of sources) await source?.file.close();
  };
  let writer: BundleWriter | undefined;
  try {
    for (const [index, name] of volumeNames(path, plan.volumes.length).entries()) {
      const found = files.find(({ volumePath }) => volumePath === name);
      if (found === undefined || index < only.start || index >= only.end) continue;
      const file = await openIfBegun(found, plan.volumes[index]!);
      if (file === undefined) continue;
      sources[index] = { file, start: 0 };
      begun.set(
        index,
        await VolumeWriter.reopen(
          name,
          plan.volumes[index]!,
          found.isFinished ? 'finished' : 'begun',
        ),
      );
    }
    if (begun.size > 0) context.observe({ type: 'phase', what: `reading back ${basename(path)}` });
    writer = await BundleWriter.create(path, plan, { ...options, begun });
    const needed = plan.layers.slice(0, writer.layersNeeded);
    const count = await keepLayers({ writer, sources, start: only.start }, needed, context);
    await cutBack(begun, plan, count);
    const rest = needed
      .slice(count)
      .map((layer) => ({ ...layer, store: new ContinuedLayer(sources, layer) }));
    const bytes = needed.slice(0, count).reduce((total, { size }) => total + size, 0);
    return { writer, rest, kept: { layers: count, bytes }, close };
  } catch (error) {
    await writer?.close();
    await close();
    throw error;
  }
}

/** A file counts when it begins as the plan does. */
async function openIfBegun(
  { path }: BegunFile,
  { head }: VolumePlan,
): Promise<BundleFile | undefined> {
  const file = await BundleFile.open(path);
  const expected = Buffer.concat(head);
  if (
    file.size >= expected.length &&
    Buffer.compare(await file.read(0, expected.length), expected) === 0
  )
    return file;
  await file.close();
  return undefined;
}

/** The bundle that is being continued: volumes before `start` are done. */
interface Continuation {
  readonly writer: BundleWriter;
  readonly sources: readonly (VolumeSource | undefined)[];
  /** The first volume that is to be written: layers that end before it are done. */
  readonly start: number;
}

/**
 * Keeps every layer up to the first that is not whole and right.
 * @returns how many layers need nothing more.
 */
async function keepLayers(
  { writer, sources, start }: Continuation,
  layers: readonly PlannedLayer[],
  { signal, observe }: Context,
): Promise<number> {
  for (const [index, layer] of layers.entries()) {
    const { descriptor, image, store, portions } = layer;
    const { digest, size: bytes } = descriptor;
    const needed = portions.filter(({ volume }) => volume >= start).map(({ volume }) => volume);
    try {
      if (needed.length === 0) writer.skip(descriptor);
      else if (needed.some((volume) => sources[volume] === undefined)) return index;
      else if (needed.length < portions.length) {
        // Its beginning is on another medium: only all of it tells whether the rest is right, so
        // that it is fetched once more.
        await writer.append(descriptor, verified(store.fetch(descriptor, { signal }), descriptor));
      } else {
        const content = readLayer(sources, layer, { start: 0, end: bytes }, signal);
        await writer.adopt(descriptor, verified(content, descriptor));
      }
    } catch (error) {
      if (!hasCode(error, 'BUNDLE_UNUSABLE') && !hasCode(error, 'CONTENT_MISMATCH')) throw error;
      return index;
    }
    observe({ type: 'skipped', digest, bytes, image });
  }
  return layers.length;
}

/**
 * Cuts unfinished files off behind what is kept and the beginning of the next layer, which may be
 * right.
 */
async function cutBack(
  begun: ReadonlyMap<number, VolumeWriter>,
  plan: BundlePlan,
  count: number,
): Promise<void> {
  const next = plan.layers[count];
  if (next === undefined) return;
  for (const [index, writer] of begun) {
    const portion = next.portions.find(({ volume }) => volume === index);
    const isBehind = index > next.portions.at(-1)!.volume;
    if (portion !== undefined)
      await writer.cutBackTo(portion.offset + storedSectionLength(portion.length));
    else if (isBehind)
      await writer.cutBackTo(
        plan.volumes[index]!.head.reduce((total, part) => total + part.length, 0),
      );
  }
}

/**
 * A store that takes what there is of one layer from the files that are being continued, and
 * everything else from where it comes from. What it gives is checked like anything that is fetched;
 * content that was wrong is asked for again whole, and then comes from the origin alone.
 */
class ContinuedLayer extends BeforeOrigin {
  readonly #sources: readonly (VolumeSource | undefined)[];
  readonly #layer: PlannedLayer;
  /**
   * Some of it came from the files. A caller that now asks for all of it has found those bytes
   * wrong.
   */
  #hasGiven = false;

  constructor(sources: readonly (VolumeSource | undefined)[], layer: PlannedLayer) {
    super(layer.store);
    this.#sources = sources;
    this.#layer = layer;
  }

  fetch(descriptor: Descriptor, options: FetchOptions = {}): ByteStream {
    const { range = { start: 0, end: descriptor.size }, signal } = options;
    const isAskedAgain = this.#hasGiven && options.range === undefined;
    if (isAskedAgain || !this.#isHere(range)) return this.origin.fetch(descriptor, options);
    this.#hasGiven = true;
    return continued(
      readLayer(this.#sources, this.#layer, range, signal),
      this.origin,
      descriptor,
      options,
    );
  }

  #isHere(range: { readonly start: number; readonly end: number }): boolean {
    const { size, portions } = this.#layer;
    const [from, to] = [headerLength(size) + range.start, headerLength(size) + range.end];
    return portions.every(({ volume, offset, start, length }) => {
      if (start + length <= from || start >= to) return true;
      const source = this.#sources[volume];
      return (
        source !== undefined &&
        offset + storedOffset(Math.min(to - start, length)) <= source.file.size
      );
    });
  }
}
