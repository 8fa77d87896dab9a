import type { ByteStream } from '../../core/bytes.ts';
import { compare } from './compare.ts';
import { refuseFault } from './fault.ts';
import type { BundleFile } from './file.ts';
import {
  FRAME_HEADER_BYTES,
  FRAME_LIMIT,
  storedContentSize,
  storedFrameLength,
} from '../format/frames.ts';
import {
  headCopy,
  type Head,
  readRecord,
  RECORD_FRAME_BYTES,
  type VolumeRecord,
} from '../format/tail.ts';
import { TAR_BLOCK, TAR_END_BYTES } from '../format/tar.ts';
import { unusable } from '../format/unusable.ts';
import { checkEnd } from './volume-end.ts';
import {
  layOutVolume,
  MAX_VOLUMES,
  type Uncut,
  type VolumeLayout,
  wholeTar,
} from '../format/volumes.ts';

/** A stretch of the pipe. */
interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** The facts that are the same however the bundle is cut into volumes. */
export interface WholeBundle {
  readonly uncut: Uncut;
  readonly head: Head;
  readonly bundleDigest: Uint8Array;
}

/**
 * The volumes of a bundle as they come through a pipe, one behind the other: mostly one, or several
 * that were joined. Only when a volume ends can be said how it was cut; then all of it is compared
 * with what a volume that is cut there has to be.
 */
export class PassingVolumes {
  readonly #pipe: BundleFile;
  readonly #uncut: Uncut;
  readonly #head: Head;
  readonly #bundleDigest: Uint8Array;
  readonly #places = new Map<string, Stretch>();
  #number = 1;
  /** The record in front of the volume; the first volume has none there. */
  #said: VolumeRecord | undefined;
  /** Where the volume begins: in the pipe, and in the tar. */
  #start = 0;
  #tarOffset = 0;
  /** Where the next section begins in the pipe, and in the tar. */
  #at: number;
  #tar: number;
  /** The last frame was shorter than it would be if the volume did not end there. */
  #isCut = false;

  /**
   * @param layout of a bundle in one volume: up to the first layer every first volume is the same.
   */
  constructor(pipe: BundleFile, layout: VolumeLayout, { uncut, head, bundleDigest }: WholeBundle) {
    this.#pipe = pipe;
    this.#uncut = uncut;
    this.#head = head;
    this.#bundleDigest = bundleDigest;
    const first = layout.portions.find(
      ({ section }) => section.kind === 'layer' || section.kind === 'end',
    )!;
    this.#at = first.offset;
    this.#tar = uncut.sections
      .slice(0, first.index)
      .reduce((total, { tarLength }) => total + tarLength, 0);
  }

  /** Where an entry stood, as far as it has come. */
  placeOf(path: string): Stretch | undefined {
    return this.#places.get(path);
  }

  /**
   * The tar of the next layer, its framing compared.
   * @throws BundleError BUNDLE_UNUSABLE naming `path`, or what of a volume is wrong.
   */
  async *layer(path: string, length: number): ByteStream & AsyncGenerator<Uint8Array> {
    let first: number | undefined;
    for (let left = length; left > 0;) {
      const content = await this.#nextFrame(Math.min(left, FRAME_LIMIT));
      const begin = this.#at;
      this.#at += storedFrameLength(content);
      this.#tar += content;
      left -= content;
      this.#places.set(path, { start: (first ??= begin), end: this.#at });
      yield* this.#pipe.stored(begin, content, path);
    }
  }

  /**
   * Compares what comes behind the last layer, and makes sure that it is the end. @throws
   * BundleError BUNDLE_UNUSABLE
   */
  async end(): Promise<void> {
    await this.#turnIfDue();
    this.#tar += TAR_END_BYTES;
    const count = this.#said?.count ?? 1;
    if (this.#number !== count) throw this.#endsWith(count);
    const { size } = await this.#checkVolume(count);
    const more = await this.#pipe.readUpTo(this.#start + size, 1);
    if (more.length > 0)
      throw unusable(
        `${this.#pipe.path} continues after the ${this.#start + size} bytes of the bundle`,
      );
  }

  /**
   * Bytes of tar in the next frame, in the next volume if this one ends here.
   * @param expected how many it has if the volume does not end before.
   */
  async #nextFrame(expected: number): Promise<number> {
    await this.#turnIfDue();
    const content = storedContentSize(await this.#pipe.readUpTo(this.#at, FRAME_HEADER_BYTES));
    // Whatever else it is, it is compared with the frame that belongs there.
    if (content === undefined || content >= expected || content % TAR_BLOCK !== 0) return expected;
    this.#isCut = true;
    return content;
  }

  /** Goes on to the next volume where the record of this one comes. */
  async #turnIfDue(): Promise<void> {
    const ending = readRecord(await this.#pipe.readUpTo(this.#at, RECORD_FRAME_BYTES))?.record;
    if (ending === undefined) {
      if (this.#isCut)
        throw unusable(
          `${this.#pipe.path}: volume ${this.#number} does not end where it is cut, ` +
            `at byte ${this.#at}`,
        );
      return;
    }
    const count = this.#said?.count ?? ending.count;
    if (count <= this.#number || count > MAX_VOLUMES)
      throw unusable(`${this.#pipe.path} ends at byte ${this.#at}, before the last layer`);
    const { size } = await this.#checkVolume(count);
    const start = this.#start + size;
    const next = readRecord(await this.#pipe.readUpTo(start, RECORD_FRAME_BYTES))?.record;
    if (next === undefined) throw this.#endsWith(count);
    if (next.number !== this.#number + 1) {
      throw unusable(
        `${this.#pipe.path}: volume ${next.number} follows volume ${this.#number} of ${count}`,
        { hint: JOIN },
      );
    }
    const said = {
      bundleDigest: this.#bundleDigest,
      number: next.number,
      count,
      tarOffset: this.#tar,
      tarLength: next.tarLength,
    };
    const copy = headCopy(said, this.#head);
    const expected = { offset: start, bytes: copy, entries: ['the copy of the head in front'] };
    await compare(this.#pipe, expected, refuseFault);
    this.#number = next.number;
    this.#said = said;
    this.#start = start;
    this.#tarOffset = this.#tar;
    this.#at = start + copy.length;
    this.#isCut = false;
  }

  /** Compares the end of the volume, which follows the tar bytes that have come. */
  async #checkVolume(count: number): Promise<VolumeLayout> {
    const tarLength = this.#tar - this.#tarOffset;
    const record = {
      bundleDigest: this.#bundleDigest,
      number: this.#number,
      count,
      tarOffset: this.#tarOffset,
      tarLength,
    };
    const layout = layOutVolume(this.#uncut, record);
    const isLast = this.#tar === wholeTar(this.#uncut.sections).tarLength;
    if (
      layout === undefined ||
      isLast !== (this.#number === count) ||
      (this.#said?.tarLength ?? tarLength) !== tarLength
    ) {
      throw unusable(
        `${this.#pipe.path} is not cut as volume ${this.#number} of ${count} has to be`,
      );
    }
    await checkEnd(
      { file: this.#pipe, start: this.#start },
      { record, layout, uncut: this.#uncut, head: this.#head },
      refuseFault,
    );
    return layout;
  }

  #endsWith(count: number): Error {
    return unusable(`${this.#pipe.path} ends with volume ${this.#number} of ${count}`, {
      hint: JOIN,
    });
  }
}

const JOIN = 'Join all volumes in their order, as cat NAME.tar.zst.[0-9]* does.';

/**
 * Makes sure that a pipe does not begin in the middle of a set. @throws BundleError BUNDLE_UNUSABLE
 */
export async function refuseLaterVolume(pipe: BundleFile): Promise<void> {
  const record = readRecord(await pipe.readUpTo(0, RECORD_FRAME_BYTES))?.record;
  if (record !== undefined)
    throw unusable(`${pipe.path} begins with volume ${record.number} of ${record.count}`, {
      hint: JOIN,
    });
}
