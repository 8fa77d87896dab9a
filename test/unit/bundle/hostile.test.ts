import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Compressor } from 'zstd-napi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { compressedFrame, FRAME_LIMIT, skippableFrame, storedFrame } from '../../../src/bundle/frames.ts';
import { TAR_BLOCK } from '../../../src/bundle/tar.ts';
import { BundleError } from '../../../src/core/errors.ts';
import {
  type Deviation,
  type Frame,
  type HeaderFields,
  type Ingredients,
  ingredientsOf,
  paxEntry,
  readEveryByte,
  type SectionName,
  tarEntry,
  withHeader,
  writeCrafted,
} from '../../support/crafted-bundle.ts';
import { seededBytes, writeSampleBundle } from '../../support/sample-bundle.ts';

const KiB = 1024;
const MTIME = Date.parse('2024-10-01T12:00:00Z') / 1000;

const unlisted = tarEntry('unlisted', seededBytes('unlisted', 700), MTIME);
const link = withHeader(tarEntry('link', new Uint8Array(0), MTIME), { type: '2', target: '/etc/passwd' });

/** Puts tar entries around those of a section. */
function around(section: SectionName, before: readonly Uint8Array[], after: readonly Uint8Array[] = []): Deviation {
  return { tar: (name, entries) => (name === section ? [...before, ...entries, ...after] : entries) };
}

/** Puts tar entries between the first and the second of a section. */
function between(section: SectionName, ...inserted: readonly Uint8Array[]): Deviation {
  return { tar: (name, [first, ...rest]) => (name === section ? [first!, ...inserted, ...rest] : [first!, ...rest]) };
}

/** Changes the header of the first entry of a section. */
function header(section: SectionName, fields: HeaderFields): Deviation {
  return bytesOf(section, (tar) => withHeader(tar, fields));
}

/** Changes the tar bytes of the first entry of a section. */
function bytesOf(section: SectionName, change: (tar: Buffer) => Uint8Array): Deviation {
  return { tar: (name, [first, ...rest]) => (name === section ? [change(Buffer.from(first!)), ...rest] : [first!, ...rest]) };
}

function framesOf(section: SectionName, change: (frames: readonly Frame[]) => readonly Frame[]): Deviation {
  return { frames: (name, frames) => (name === section ? change(frames) : frames) };
}

/** Changes the bytes of the first frame of a section. */
function framing(section: SectionName, change: (bytes: Buffer) => Uint8Array): Deviation {
  return framesOf(section, ([first, ...rest]) => [{ ...first!, bytes: change(Buffer.from(first!.bytes)) }, ...rest]);
}

function set(at: number, value: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    bytes[at] = value;
    return bytes;
  };
}

function hidden(bytes: Uint8Array): Frame {
  return { bytes, content: 0 };
}

function compressedWith(bytes: Uint8Array, parameters: Parameters<Compressor['setParameters']>[0]): Uint8Array {
  const compressor = new Compressor();
  compressor.setParameters(parameters);
  return compressor.compress(bytes);
}

/** A raw block cut in two, an RLE block, a compressed block: what zstd decodes to the same bytes. */
function inBlocks(frame: Buffer, ...blocks: readonly (readonly [type: number, size: number, bytes: Uint8Array])[]): Buffer {
  const encoded = blocks.flatMap(([type, size, bytes], index) => {
    const head = Buffer.alloc(3);
    head.writeUIntLE((size << 3) | (type << 1) | (index === blocks.length - 1 ? 1 : 0), 0, 3);
    return [head, bytes];
  });
  return Buffer.concat([frame.subarray(0, 14), ...encoded]);
}

const SECTIONS: readonly SectionName[] = ['listing', 'seal', 'metadata', 'layer 0', 'layer 2'];
const unlistedEntries: [string, readonly Uint8Array[]][] = [
  ['a regular file', [unlisted]],
  ['a symbolic link', [link]],
  ['a pax header that renames', [paxEntry('x', 'path', 'renamed')]],
  ['a pax header for all that follow', [paxEntry('g', 'comment', 'hello')]],
  ['a GNU long name', [withHeader(tarEntry('././@LongLink', Buffer.from('renamed\0'), 0), { type: 'L' })]],
  ['a pax size that hides an entry', [paxEntry('x', 'size', String(unlisted.length)), tarEntry('empty', new Uint8Array(0), MTIME)]],
  ['a path that leads out', [tarEntry('../x', Buffer.from('x'), MTIME)]],
  ['an empty tar block', [Buffer.alloc(TAR_BLOCK)]],
  ['the end of a tar', [Buffer.alloc(2 * TAR_BLOCK)]],
];

const inTar: [string, Deviation][] = [
  ...SECTIONS.flatMap((section) =>
    unlistedEntries.flatMap(([what, entries]): [string, Deviation][] => [
      [`${what} before the entries of ${section}`, around(section, entries)],
      [`${what} after the entries of ${section}`, around(section, [], entries)],
    ]),
  ),
  ...unlistedEntries.map(([what, entries]): [string, Deviation] => [`${what} between two manifests`, between('metadata', ...entries)]),
  ['an entry after the end of the tar', around('end', [], [unlisted])],
  ['an entry in place of the end of the tar', around('end', [unlisted])],
  ['a longer end of the tar', around('end', [], [Buffer.alloc(8 * KiB)])],
  ['no end of the tar', { frames: (name, frames) => (name === 'end' ? [] : frames) }],
  ['a layer twice', { tar: (name, entries) => (name === 'layer 2' ? [...entries, ...entries] : entries) }],
  ['a layer left out', { frames: (name, frames) => (name === 'layer 1' ? [] : frames) }],
  ['a manifest left out', { tar: (name, entries) => (name === 'metadata' ? entries.slice(0, -1) : entries) }],
  ['manifests in another order', { tar: (name, entries) => (name === 'metadata' ? [entries[0]!, ...entries.slice(1).reverse()] : entries) }],
  ...SECTIONS.flatMap((section): [string, Deviation][] => [
    [`another mode in ${section}`, header(section, { mode: '0000755' })],
    [`another user in ${section}`, header(section, { uid: '0001750' })],
    [`a user name in ${section}`, header(section, { user: 'root' })],
    [`another path in ${section}`, header(section, { path: 'renamed' })],
    [`a path that goes on after a zero byte in ${section}`, header(section, { path: 'SHA256SUMS\0x' })],
    [`a hard link in ${section}`, header(section, { type: '1', target: 'oci-layout' })],
    [`a link target in ${section}`, header(section, { target: 'oci-layout' })],
    [`another time in ${section}`, header(section, { mtime: MTIME + 1 })],
    [`a wrong checksum in ${section}`, bytesOf(section, set(148, 0x37))],
    [`the other way to write a checksum in ${section}`, bytesOf(section, (tar) => Buffer.concat([tar.subarray(0, 154), Buffer.from(' \0'), tar.subarray(156)]))],
    [`padding that is not zero in ${section}`, bytesOf(section, (tar) => set(tar.length - 1, 1)(tar))],
  ]),
  [
    'the same other time everywhere',
    { tar: (name, entries) => (name === 'end' ? entries : entries.map((entry) => withHeader(entry, { mtime: MTIME + 1 }))) },
  ],
];

const inFrames: [string, Deviation][] = [
  ['a byte before the head', { file: (bytes) => Buffer.concat([Buffer.alloc(1), bytes]) }],
  ['a skippable frame before the head', { file: (bytes) => Buffer.concat([skippableFrame(Buffer.from('x')), bytes]) }],
  ['a byte after the tail', { file: (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]) }],
  ['a frame after the tail', { file: (bytes) => Buffer.concat([bytes, storedFrame(unlisted)]) }],
  ['a skippable frame after the tail', { file: (bytes) => Buffer.concat([bytes, skippableFrame(Buffer.alloc(0))]) }],
  ...(['listing', 'seal', 'metadata', 'layer 0', 'layer 2', 'end'] as const).flatMap((section): [string, Deviation][] => [
    [`a skippable frame after ${section}`, framesOf(section, (frames) => [...frames, hidden(skippableFrame(Buffer.from('hidden')))])],
    [`an empty skippable frame before ${section}`, framesOf(section, (frames) => [hidden(skippableFrame(Buffer.alloc(0))), ...frames])],
    [`an empty frame after ${section}`, framesOf(section, (frames) => [...frames, hidden(compressedFrame(Buffer.alloc(0)))])],
    [`an empty frame before ${section}`, framesOf(section, (frames) => [hidden(compressedFrame(Buffer.alloc(0))), ...frames])],
    [`zero bytes after ${section}`, framesOf(section, (frames) => [...frames, hidden(Buffer.alloc(4))])],
  ]),
  ...(['listing', 'seal', 'layer 0', 'layer 2', 'end'] as const).flatMap((section): [string, Deviation][] => [
    [`a checksum flag on ${section}`, framing(section, (bytes) => Buffer.concat([set(4, 0xc4)(bytes), Buffer.alloc(4)]))],
    [`a reserved bit on ${section}`, framing(section, set(4, 0xc8))],
    [`an unused bit on ${section}`, framing(section, set(4, 0xd0))],
    [`a single segment on ${section}`, framing(section, (bytes) => Buffer.concat([set(4, 0xe0)(bytes).subarray(0, 5), bytes.subarray(6)]))],
    [`another window on ${section}`, framing(section, set(5, 8 << 3))],
    [`a reserved block on ${section}`, framing(section, (bytes) => set(14, bytes[14]! | 6)(bytes))],
    [`compression of ${section}`, framesOf(section, ([frame]) => [{ ...frame!, bytes: compressedFrame(storedContent(frame!)) }])],
    [`blocks of another size in ${section}`, framing(section, (bytes) => {
      const tar = storedContent({ bytes, content: 0 });
      return inBlocks(bytes, [0, 256, tar.subarray(0, 256)], ...blocksOf(tar.subarray(256)));
    })],
    [`an empty block at the end of ${section}`, framing(section, (bytes) => inBlocks(bytes, ...blocksOf(storedContent({ bytes, content: 0 })), [0, 0, Buffer.alloc(0)]))],
  ]),
  ['an RLE block for the end of the tar', framing('end', (bytes) => inBlocks(bytes, [1, 1024, Buffer.alloc(1)]))],
  ['two frames for one layer', framesOf('layer 2', ([frame]) => twoFrames(storedContent(frame!), storedFrame))],
  ['two frames for the manifests', { frames: (name, frames) => (name === 'metadata' ? twoFrames(metadataTar(frames), compressedFrame) : frames) }],
  ['a checksum on the manifests', recompressed({ compressionLevel: 19, contentSizeFlag: true, checksumFlag: true })],
  ['manifests without their size', recompressed({ compressionLevel: 19, contentSizeFlag: false })],
  ['manifests and a layer in one frame', { tar: (name, entries) => (name === 'metadata' ? [...entries, unlisted] : entries) }],
];

/** The tar bytes of a stored frame. */
function storedContent({ bytes }: Frame): Buffer {
  const blocks: Uint8Array[] = [];
  const frame = Buffer.from(bytes);
  for (let at = 14; at < frame.length;) {
    const size = frame.readUIntLE(at, 3) >> 3;
    blocks.push(frame.subarray(at + 3, at + 3 + size));
    at += 3 + size;
  }
  return Buffer.concat(blocks);
}

function blocksOf(tar: Buffer): [number, number, Uint8Array][] {
  const blocks: [number, number, Uint8Array][] = [];
  for (let at = 0; at < tar.length; at += 128 * KiB) {
    const block = tar.subarray(at, at + 128 * KiB);
    blocks.push([0, block.length, block]);
  }
  return blocks;
}

function twoFrames(tar: Uint8Array, encode: (bytes: Uint8Array) => Uint8Array): Frame[] {
  return [tar.subarray(0, TAR_BLOCK), tar.subarray(TAR_BLOCK)].map((part) => ({ bytes: encode(part), content: part.length }));
}
