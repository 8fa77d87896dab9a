import type { Descriptor } from '../../core/descriptor.ts';
import type { Digest } from '../../core/digest.ts';
import { hasCode } from '../../core/errors.ts';
import type { VerifiedStream } from '../../transfer/verified.ts';
import { volumeNames } from '../format/names.ts';
import type { BundlePlan, PlannedLayer } from '../format/plan.ts';
import { StoredEncoder } from '../format/stored.ts';
import { layerHeader } from '../format/layer.ts';
import { paddingLength } from '../format/tar.ts';
import { type Mark, VolumeWriter } from './volume-writer.ts';

/** A volume that is finished. */
export interface FinishedVolume {
  readonly path: string;
  /** SHA-256 of the physical file. */
  readonly digest: Digest;
  readonly size: number;
  /** An earlier run had finished it, and it was right to the byte. */
  readonly wasFinished: boolean;
}

export interface WriterOptions {
  /**
   * Volumes that are there, begun or finished; without an entry one is begun when its first byte
   * comes.
   */
  readonly begun?: ReadonlyMap<number, VolumeWriter>;
  /**
   * The volumes to write, from 0 and without the end: what others hold is passed over. All, if it
   * is left out.
   */
  readonly only?: { readonly start: number; readonly end: number };
  /** Is told of each volume when it has its final name. */
  readonly finished?: (volume: FinishedVolume) => Promise<void>;
}

/**
 * Writes a planned bundle by appending only: at every moment the files are a prefix of the finished
 * ones, and up to the end of its last complete layer every byte of them has been checked. A volume
 * gets its final name when all layers that it holds a part of are whole.
 */
export class BundleWriter {
  readonly #plan: BundlePlan;
  readonly #paths: readonly string[];
  readonly #options: WriterOptions;
  readonly #open: Map<number, VolumeWriter>;
  #nextLayer = 0;
  #nextVolume: number;

  private constructor(path: string, plan: BundlePlan, options: WriterOptions) {
    this.#plan = plan;
    this.#paths = volumeNames(path, plan.volumes.length);
    this.#options = options;
    this.#open = new Map(options.begun);
    this.#nextVolume = options.only?.start ?? 0;
  }

  /**
   * Begins to write, or continues what is begun. @param path of the bundle; volumes are numbered
   * behind it.
   * @throws BundleError DISK
   */
  static async create(
    path: string,
    plan: BundlePlan,
    options: WriterOptions = {},
  ): Promise<BundleWriter> {
    const writer = new BundleWriter(path, plan, options);
    try {
      await writer.#volume(writer.#nextVolume);
    } catch (error) {
      await writer.close();
      throw error;
    }
    return writer;
  }

  /** How many of the layers are needed for the volumes that are to be written. */
  get layersNeeded(): number {
    return this.#plan.volumes[this.#end - 1]?.layersNeeded ?? 0;
  }

  /**
   * Appends the next layer of the plan. When the content turns out to be wrong the files are cut
   * back to where the layer began; when it breaks off, what came stays for a later run. The same
   * layer can then be appended again.
   */
  async append(descriptor: Descriptor, content: VerifiedStream): Promise<void> {
    const marks = new Map<VolumeWriter, Mark>();
    try {
      for await (const { volume, parts } of framed(this.#next(descriptor), content)) {
        const writer = await this.#volume(volume);
        if (writer === undefined) continue;
        if (!marks.has(writer)) marks.set(writer, writer.mark());
        await writer.write(parts);
      }
    } catch (error) {
      for (const [writer, mark] of marks) {
        writer.rewind(mark);
        if (hasCode(error, 'CONTENT_MISMATCH')) await writer.truncate(mark.position);
      }
      throw error;
    }
    this.#nextLayer += 1;
    for (const writer of marks.keys()) await writer.syncNowAndThen();
    await this.#finishVolumes();
  }

  /**
   * Takes the next layer of the plan as it stands in the files.
   * @param content read back from there.
   * @throws whatever `content` throws; the layer then has to be appended.
   */
  async adopt(descriptor: Descriptor, content: VerifiedStream): Promise<void> {
    const marks = new Map<VolumeWriter, Mark>();
    try {
      for await (const { volume, parts } of framed(this.#next(descriptor), content)) {
        const writer = this.#open.get(volume);
        if (writer === undefined) continue;
        if (!marks.has(writer)) marks.set(writer, writer.mark());
        writer.pass(parts);
      }
    } catch (error) {
      for (const [writer, mark] of marks) writer.rewind(mark);
      throw error;
    }
    this.#nextLayer += 1;
    await this.#finishVolumes();
  }

  /**
   * Passes over the next layer of the plan, which lies in volumes alone that are not to be written.
   */
  skip(descriptor: Descriptor): void {
    this.#next(descriptor);
    this.#nextLayer += 1;
  }

  /** Ends the last volume, too, of a bundle that has been appended whole. */
  async finish(): Promise<void> {
    await this.#finishVolumes();
    if (this.#nextVolume < this.#end) throw new RangeError('layers of the plan are missing');
  }

  /** Lets go of the files and leaves what is written under the names that they have. */
  async close(): Promise<void> {
    for (const writer of this.#open.values()) await writer.close();
  }

  get #end(): number {
    return this.#options.only?.end ?? this.#plan.volumes.length;
  }

  /** The file of a volume, begun if need be; `undefined` for one that is not to be written. */
  async #volume(number: number): Promise<VolumeWriter | undefined> {
    if (number < (this.#options.only?.start ?? 0) || number >= this.#end) return undefined;
    let writer = this.#open.get(number);
    if (writer === undefined) {
      writer = await VolumeWriter.create(this.#paths[number]!, this.#plan.volumes[number]!);
      this.#open.set(number, writer);
    }
    return writer;
  }

  /** Gives their final names to the volumes all of whose layers are whole, in their order. */
  async #finishVolumes(): Promise<void> {
    for (; this.#nextVolume < this.#end; this.#nextVolume += 1) {
      const plan = this.#plan.volumes[this.#nextVolume]!;
      if (plan.layersNeeded > this.#nextLayer) return;
      const writer = (await this.#volume(this.#nextVolume))!;
      const result = await writer.finish();
      this.#open.delete(this.#nextVolume);
      await this.#options.finished?.({ path: writer.path, size: plan.size, ...result });
    }
  }

  #next(descriptor: Descriptor): PlannedLayer {
    const layer = this.#plan.layers[this.#nextLayer];
    if (layer?.descriptor.digest !== descriptor.digest)
      throw new RangeError(`${descriptor.digest} is not the next layer of the plan`);
    return layer;
  }
}

/**
 * A layer's section as the volumes hold it: header, content and padding with the framing around
 * them.
 */
export async function* framed(
  layer: PlannedLayer,
  content: VerifiedStream,
): AsyncGenerator<Framed> {
  const encoder = new PortionEncoder(layer);
  let pending = [layerHeader(layer)];
  for await (const chunk of content) {
    yield* encoder.encode([...pending, chunk]);
    pending = [];
  }
  yield* encoder.encode([...pending, new Uint8Array(paddingLength(layer.size))]);
}

interface Framed {
  readonly volume: number;
  readonly parts: readonly Uint8Array[];
}

/** Puts the tar of a layer into its portions, as it comes. */
class PortionEncoder {
  readonly #portions: PlannedLayer['portions'];
  #index = -1;
  #left = 0;
  #encoder = new StoredEncoder(0);

  constructor({ portions }: PlannedLayer) {
    this.#portions = portions;
  }

  /** The bytes for each volume: views of the tar with framing between them, no copy. */
  encode(tar: readonly Uint8Array[]): readonly Framed[] {
    const out: { volume: number; parts: Uint8Array[] }[] = [];
    for (const bytes of tar) {
      for (let at = 0; at < bytes.length;) {
        if (this.#left === 0) this.#begin();
        const part = bytes.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        const { volume } = this.#portions[this.#index]!;
        const last = out.at(-1);
        if (last?.volume === volume) last.parts.push(...this.#encoder.encode(part));
        else out.push({ volume, parts: this.#encoder.encode(part) });
      }
    }
    return out;
  }

  #begin(): void {
    const portion = this.#portions[(this.#index += 1)];
    if (portion === undefined) throw new RangeError('more tar bytes than the layer has');
    this.#left = portion.length;
    this.#encoder = new StoredEncoder(portion.length);
  }
}
