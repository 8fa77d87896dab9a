import { BundleError } from '../../core/errors.ts';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_SIZE,
  FRAME_HEADER_BYTES,
  FRAME_LIMIT,
  type FrameExtent,
  SEEK_ROW_BYTES,
  storedFrameLength,
} from './frames.ts';
import type { LayerPortion } from './layer.ts';
import { frameCount, frameCuts, type Section, storedSectionLength } from './layout.ts';
import { copiesIn, type Cut, tailLength } from './tail.ts';
import { headerLength, TAR_BLOCK } from './tar.ts';

/** A suffix of three digits counts no further. */
export const MAX_VOLUMES = 999;

/** A section, or the part of a layer's section that one volume holds: in frames of its own. */
export interface Portion {
  readonly section: Section;
  /** Which of the sections it is. */
  readonly index: number;
  /** The bytes of the section's tar that it holds: from `start` on, `length` of them. */
  readonly start: number;
  readonly length: number;
  /** Where its first frame begins in the volume. */
  readonly offset: number;
}

/** Where everything stands in a volume. */
export interface VolumeLayout {
  readonly portions: readonly Portion[];
  /** Frames that hold tar. */
  readonly frames: number;
  /** Where the tail begins, and the whole length of the volume, in bytes. */
  readonly tailOffset: number;
  readonly size: number;
}

/** The sections that a bundle is cut from. */
export interface Uncut {
  readonly sections: readonly Section[];
  /** The frames of the metadata, which cannot be computed. */
  readonly metadata: readonly FrameExtent[];
  /** Bytes of a copy of the head. */
  readonly copyLength: number;
}

/** All of the tar in one volume. */
export function wholeTar(sections: readonly Section[]): Cut {
  return {
    tarOffset: 0,
    tarLength: sections.reduce((total, { tarLength }) => total + tarLength, 0),
  };
}

/**
 * Cuts a bundle into volumes, each filled as far as `limit` bytes allow. The head stands whole in
 * the first volume; the end of the tar is never parted from the copy of the head that follows it.
 * @throws BundleError USAGE when the limit is too small for that, or more than 999 volumes would be
 * needed.
 */
export function cutIntoVolumes(uncut: Uncut, limit: number): readonly Cut[] {
  const cuts = tryToCut(uncut, limit);
  if (typeof cuts !== 'string') return cuts;
  throw new BundleError('USAGE', `volumes of ${limit} bytes are too small: ${cuts}`, {
    hint: `Ask for volumes of at least ${leastLimit(uncut, limit)} bytes.`,
  });
}

/** The least limit that will do, in whole kilobytes, above one that will not. */
function leastLimit(uncut: Uncut, tooSmall: number): number {
  const will = (kilobytes: number): boolean =>
    typeof tryToCut(uncut, kilobytes * KILOBYTE) !== 'string';
  let low = Math.floor(tooSmall / KILOBYTE);
  let high = low + 1;
  while (!will(high)) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (will(middle)) high = middle;
    else low = middle;
  }
  return high * KILOBYTE;
}

const KILOBYTE = 1000;

/** The cuts, or why there are none. */
function tryToCut(uncut: Uncut, limit: number): readonly Cut[] | string {
  const { sections, copyLength } = uncut;
  const costs = sections.map((section) => costOf(section, section.tarLength, uncut));
  const cuts: Cut[] = [];
  let rest = costs.reduce((total, cost) => total + cost, 0);
  let at = 0;
  let started = 0; // tar bytes of section `at` that the volumes before hold
  let tarOffset = 0;
  for (;;) {
    if (cuts.length === MAX_VOLUMES)
      return `the bundle would need more than ${MAX_VOLUMES} volumes`;
    const leading = cuts.length > 0;
    const roomFor = (trailing: boolean): number =>
      limit - (leading ? copyLength : 0) - tailLength({ leading, trailing }, copyLength, 0);
    if (rest <= roomFor(true)) {
      cuts.push({ tarOffset, tarLength: wholeTar(sections).tarLength - tarOffset });
      return cuts;
    }
    let room = roomFor(false);
    let tarLength = 0;
    for (let section = sections[at]!; section.kind !== 'end'; section = sections[at]!) {
      const left = section.tarLength - started;
      const cost = started === 0 ? costs[at]! : costOf(section, left, uncut);
      const taken =
        cost <= room ? left : section.kind === 'layer' ? fitting(section, started, room) : 0;
      if (taken === 0) break;
      room -= cost;
      tarLength += taken;
      rest -= cost;
      started += taken;
      if (taken < left) {
        rest += costOf(section, left - taken, uncut);
        break;
      }
      at += 1;
      started = 0;
    }
    if (tarLength === 0 || (sections[at]!.kind !== 'layer' && sections[at]!.kind !== 'end')) {
      return 'the head of the bundle does not fit into a volume';
    }
    cuts.push({ tarOffset, tarLength });
    tarOffset += tarLength;
  }
}

/**
 * Where everything stands in the volume that holds a part of the tar.
 * @returns `undefined` for a cut that {@link cutIntoVolumes} would never make: within a header or a
 * block, or within anything but a layer.
 */
export function layOutVolume(
  uncut: Uncut,
  volume: Cut & { readonly number: number; readonly count: number },
): VolumeLayout | undefined {
  const copies = copiesIn(volume);
  const end = volume.tarOffset + volume.tarLength;
  const portions: Portion[] = [];
  let offset = copies.leading ? uncut.copyLength : 0;
  let frames = 0;
  let sectionStart = 0;
  for (const [index, section] of uncut.sections.entries()) {
    const start = Math.max(volume.tarOffset - sectionStart, 0);
    const length = Math.min(end - sectionStart, section.tarLength) - start;
    sectionStart += section.tarLength;
    if (length <= 0) continue;
    if (!mayHold(section, start, length)) return undefined;
    portions.push({ section, index, start, length, offset });
    offset += fileLength(section, length, uncut);
    frames += framesIn(section, length, uncut);
  }
  const size = offset + tailLength(copies, uncut.copyLength, frames);
  return portions.length === 0 || end > sectionStart
    ? undefined
    : { portions, frames, tailOffset: offset, size };
}

/**
 * Where the layers stand in the volumes.
 * @param layouts of the volumes that are there, by number from 0.
 * @param firstLayer which of the sections is the first layer. @param count how many there are.
 */
export function layerPortions(
  layouts: Iterable<readonly [volume: number, layout: VolumeLayout]>,
  firstLayer: number,
  count: number,
): readonly (readonly LayerPortion[])[] {
  const portions = Array.from({ length: count }, (): LayerPortion[] => []);
  for (const [volume, layout] of layouts) {
    for (const { index, offset, start, length } of layout.portions)
      portions[index - firstLayer]?.push({ volume, offset, start, length });
  }
  return portions;
}

/** Every frame of a volume that holds tar, in order. */
export function frameExtents(
  { portions }: VolumeLayout,
  metadata: readonly FrameExtent[],
): FrameExtent[] {
  return portions.flatMap(({ section, length }) =>
    section.kind === 'metadata'
      ? metadata
      : frameCuts(length).map((content) => ({ length: storedFrameLength(content), content })),
  );
}

function mayHold(section: Section, start: number, length: number): boolean {
  if (start === 0 && length === section.tarLength) return true;
  if (section.kind !== 'layer') return false;
  const header = headerLength(section.entries[0]!.size);
  const isBoundary = (at: number): boolean => at % TAR_BLOCK === 0 && (at === 0 || at >= header);
  return isBoundary(start) && isBoundary(start + length);
}

/** Length in a file of some tar bytes of a section, with their rows in the seek table. */
function costOf(section: Section, tarLength: number, uncut: Uncut): number {
  return (
    fileLength(section, tarLength, uncut) + SEEK_ROW_BYTES * framesIn(section, tarLength, uncut)
  );
}

function fileLength({ kind }: Section, tarLength: number, { metadata }: Uncut): number {
  return kind === 'metadata'
    ? metadata.reduce((total, { length }) => total + length, 0)
    : storedSectionLength(tarLength);
}

function framesIn({ kind }: Section, tarLength: number, { metadata }: Uncut): number {
  return kind === 'metadata' ? metadata.length : frameCount(tarLength);
}

/**
 * The most tar bytes of a layer, from `started` on, that take no more than `room`; 0 where not even
 * its header fits.
 */
function fitting(section: Section, started: number, room: number): number {
  const wholeFrame = storedFrameLength(FRAME_LIMIT) + SEEK_ROW_BYTES;
  const frames = Math.max(Math.floor(room / wholeFrame), 0);
  const inFrame = room - frames * wholeFrame - FRAME_HEADER_BYTES - SEEK_ROW_BYTES;
  const blocks = Math.max(Math.floor(inFrame / (BLOCK_HEADER_BYTES + BLOCK_SIZE)), 0);
  const inBlock = inFrame - blocks * (BLOCK_HEADER_BYTES + BLOCK_SIZE) - BLOCK_HEADER_BYTES;
  const taken =
    frames * FRAME_LIMIT +
    blocks * BLOCK_SIZE +
    Math.max(Math.floor(inBlock / TAR_BLOCK), 0) * TAR_BLOCK;
  return started > 0 || taken >= headerLength(section.entries[0]!.size) ? taken : 0;
}
