import { describe } from 'vitest';
import { Compressor } from 'zstd-napi';

import {
  compressedFrame,
  decompressedFrame,
  FRAME_HEADER_BYTES,
  skippableFrame,
  storedFrame,
} from '../../../../src/bundle/format/frames.ts';
import { TAR_BLOCK } from '../../../../src/bundle/format/tar.ts';
import type { Deviation, Frame, SectionName } from '../../../support/crafted-bundle.ts';
import { testRefusals } from '../../../support/crafted-refusals.ts';

const STORED = ['listing', 'seal', 'layer 0', 'layer 2', 'end'] as const;
const RAW = 0;
const RLE = 1;

function frames(
  section: SectionName,
  change: (frames: readonly Frame[]) => readonly Frame[],
): Deviation {
  return { frames: (name, given) => (name === section ? change(given) : given) };
}

/** Changes the bytes of a section's first frame. */
function bytes(section: SectionName, change: (frame: Buffer) => Uint8Array): Deviation {
  return frames(section, ([first, ...rest]) => [
    { ...first!, bytes: change(Buffer.from(first!.bytes)) },
    ...rest,
  ]);
}

/** Frames a section's tar anew. */
function anew(section: SectionName, encode: (tar: Buffer) => Uint8Array): Deviation {
  return frames(section, (given) =>
    given.map((frame) => ({ ...frame, bytes: encode(tarOf(frame)) })),
  );
}

function cutInTwo(section: SectionName, encode: (tar: Uint8Array) => Uint8Array): Deviation {
  return frames(section, ([frame]) => {
    const tar = tarOf(frame!);
    return [tar.subarray(0, TAR_BLOCK), tar.subarray(TAR_BLOCK)].map((part) => ({
      bytes: encode(part),
      content: part.length,
    }));
  });
}

function set(at: number, value: number): (frame: Buffer) => Buffer {
  return (frame) => {
    frame[at] = value;
    return frame;
  };
}

function tarOf({ bytes: frame }: Frame): Buffer {
  return Buffer.from(decompressedFrame(frame)!);
}

/** A frame that holds no tar. */
function besides(frame: Uint8Array): Frame {
  return { bytes: frame, content: 0 };
}

/**
 * A stored frame with blocks as given: type, size that the block says, and what stands behind its
 * header.
 */
function inBlocks(
  content: number,
  blocks: readonly (readonly [type: number, size: number, content: Uint8Array])[],
): Buffer {
  const header = storedFrame(Buffer.alloc(content)).subarray(0, FRAME_HEADER_BYTES);
  const encoded = blocks.flatMap(([type, size, block], index) => {
    const start = Buffer.alloc(3);
    start.writeUIntLE((size << 3) | (type << 1) | (index === blocks.length - 1 ? 1 : 0), 0, 3);
    return [start, block];
  });
  return Buffer.concat([header, ...encoded]);
}

function rawBlocks(tar: Buffer, size: number): [number, number, Uint8Array][] {
  const blocks = [];
  for (let at = 0; at < tar.length; at += size) blocks.push(tar.subarray(at, at + size));
  return blocks.map((block) => [RAW, block.length, block]);
}

function compressed(
  parameters: Parameters<Compressor['setParameters']>[0],
): (tar: Buffer) => Uint8Array {
  return (tar) => {
    const compressor = new Compressor();
    compressor.setParameters(parameters);
    return compressor.compress(tar);
  };
}

describe('bytes and frames besides those that belong there', () => {
  testRefusals([
    ['a byte before the head', { file: (file) => Buffer.concat([Buffer.alloc(1), file]) }],
    [
      'a skippable frame before the head',
      { file: (file) => Buffer.concat([skippableFrame(Buffer.from('x')), file]) },
    ],
    ['a byte after the tail', { file: (file) => Buffer.concat([file, Buffer.alloc(1)]) }],
    [
      'a frame after the tail',
      { file: (file) => Buffer.concat([file, storedFrame(Buffer.alloc(TAR_BLOCK))]) },
    ],
    [
      'a skippable frame after the tail',
      { file: (file) => Buffer.concat([file, skippableFrame(Buffer.alloc(0))]) },
    ],
    ['a second bundle after the first', { file: (file) => Buffer.concat([file, file]) }],
    ...([...STORED, 'metadata'] as const).flatMap((section): [string, Deviation][] => [
      [
        `a skippable frame after ${section}`,
        frames(section, (given) => [...given, besides(skippableFrame(Buffer.from('hidden')))]),
      ],
      [
        `a skippable frame before ${section}`,
        frames(section, (given) => [besides(skippableFrame(Buffer.alloc(0))), ...given]),
      ],
      [
        `an empty frame after ${section}`,
        frames(section, (given) => [...given, besides(compressedFrame(Buffer.alloc(0)))]),
      ],
      [
        `an empty frame before ${section}`,
        frames(section, (given) => [besides(compressedFrame(Buffer.alloc(0))), ...given]),
      ],
      [`a byte after ${section}`, frames(section, (given) => [...given, besides(Buffer.alloc(1))])],
    ]),
  ]);
});

describe('another framing of the same bytes', () => {
  testRefusals([
    ...STORED.flatMap((section): [string, Deviation][] => [
      [
        `a checksum flag on ${section}`,
        bytes(section, (frame) => Buffer.concat([set(4, 0xc4)(frame), Buffer.alloc(4)])),
      ],
      [`a reserved bit on ${section}`, bytes(section, set(4, 0xc8))],
      [`an unused bit on ${section}`, bytes(section, set(4, 0xd0))],
      [
        `a single segment on ${section}`,
        bytes(section, (frame) =>
          Buffer.concat([set(4, 0xe0)(frame).subarray(0, 5), frame.subarray(6)]),
        ),
      ],
      [`another window on ${section}`, bytes(section, set(5, 8 << 3))],
      [
        `a reserved kind of block in ${section}`,
        bytes(section, (frame) => set(14, frame[14]! | 6)(frame)),
      ],
      [
        `small blocks in ${section}`,
        anew(section, (tar) => inBlocks(tar.length, rawBlocks(tar, 1000))),
      ],
      [
        `an empty last block in ${section}`,
        anew(section, (tar) =>
          inBlocks(tar.length, [...rawBlocks(tar, 128 * 1024), [RAW, 0, Buffer.alloc(0)]]),
        ),
      ],
      [`compression of ${section}`, anew(section, compressedFrame)],
    ]),
    [
      'an RLE block for the end of the tar',
      anew('end', (tar) => inBlocks(tar.length, [[RLE, tar.length, Buffer.alloc(1)]])),
    ],
    ['two frames for the listing', cutInTwo('listing', storedFrame)],
    ['two frames for a layer', cutInTwo('layer 2', storedFrame)],
    ['two frames for the manifests', cutInTwo('metadata', compressedFrame)],
    [
      'a checksum behind the manifests',
      anew('metadata', compressed({ compressionLevel: 19, checksumFlag: true })),
    ],
    [
      'manifests without their length',
      anew('metadata', (tar) => lengthless(compressed({ contentSizeFlag: false })(tar))),
    ],
    ['a length that is less than what comes', bytes('metadata', (frame) => claiming(frame, -1))],
    ['a length that is more than what comes', bytes('metadata', (frame) => claiming(frame, 1))],
    ['two layers in one frame', joined('layer 0', 'layer 1')],
  ]);
});

/** A frame whose length is not in its header: the window takes its place. */
function lengthless(frame: Uint8Array): Uint8Array {
  if ((frame[4]! & 0xe0) !== 0) throw new Error('the frame says its length');
  return frame;
}

/**
 * Adds to the content size of a frame with a size field of two bytes (RFC 8878 section 3.1.1.1.4).
 */
function claiming(frame: Buffer, more: number): Buffer {
  const at = (frame[4]! & 0x20) === 0 ? 6 : 5;
  if (frame[4]! >> 6 !== 1) throw new Error('the size field has not two bytes');
  frame.writeUInt16LE(frame.readUInt16LE(at) + more, at);
  return frame;
}

/** One frame for two sections that have one each. */
function joined(one: SectionName, other: SectionName): Deviation {
  let tar: Uint8Array;
  return {
    tar: (name, entries) => {
      if (name === one) tar = Buffer.concat(entries);
      return name === one ? [] : name === other ? [tar, ...entries] : entries;
    },
  };
}
