import { Compressor, Decompressor } from 'zstd-napi';

/** Most bytes of tar in one frame. */
export const FRAME_LIMIT = 64 * 1024 * 1024;
/** A stored frame consists of raw blocks of this size, but the last (RFC 8878 section 3.1.1.2: at most 128 KiB). */
export const BLOCK_SIZE = 128 * 1024;
export const FRAME_HEADER_BYTES = 14;
export const BLOCK_HEADER_BYTES = 3;

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a5b;
const SEEK_TABLE_SKIPPABLE_MAGIC = 0x184d2a5e;
const SEEKABLE_MAGIC = 0x8f92eab1;
/** 8-byte content size, no checksum, no dictionary, not a single segment (RFC 8878 section 3.1.1.1.1). */
const STORED_DESCRIPTOR = 0xc0;
/** 2^(10+7) = 128 KiB (RFC 8878 section 3.1.1.1.2). */
const STORED_WINDOW = 7 << 3;
/** The one level at which the library's versions agreed byte for byte. */
const METADATA_LEVEL = 19;
/** Frames hold at most 64 MiB, so a window never needs to be larger. */
const MAX_WINDOW_LOG = 26;

/** What a stored frame of `content` bytes takes in the file. */
export function storedFrameLength(content: number): number {
  return FRAME_HEADER_BYTES + content + BLOCK_HEADER_BYTES * Math.ceil(content / BLOCK_SIZE);
}

export function storedFrameHeader(content: number): Uint8Array {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32LE(FRAME_MAGIC, 0);
  header.writeUInt8(STORED_DESCRIPTOR, 4);
  header.writeUInt8(STORED_WINDOW, 5);
  header.writeBigUInt64LE(BigInt(content), 6);
  return header;
}

/** The header of a raw block (RFC 8878 section 3.1.1.2). */
export function rawBlockHeader(size: number, last: boolean): Uint8Array {
  const header = Buffer.alloc(BLOCK_HEADER_BYTES);
  header.writeUIntLE((size << 3) | (last ? 1 : 0), 0, BLOCK_HEADER_BYTES);
  return header;
}

/** The content size that the header of a stored frame names, or `undefined` if it is not exactly such a header. */
export function storedContentSize(header: Uint8Array): number | undefined {
  if (header.length < FRAME_HEADER_BYTES) return undefined;
  const view = Buffer.from(header.buffer, header.byteOffset, FRAME_HEADER_BYTES);
  const size = view.readBigUInt64LE(6);
  if (size > BigInt(FRAME_LIMIT) || size === 0n) return undefined;
  return view.equals(storedFrameHeader(Number(size))) ? Number(size) : undefined;
}

/** `bytes` as one stored frame. */
export function storedFrame(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [storedFrameHeader(bytes.length)];
  for (let at = 0; at < bytes.length; at += BLOCK_SIZE) {
    const block = bytes.subarray(at, at + BLOCK_SIZE);
    parts.push(rawBlockHeader(block.length, at + BLOCK_SIZE >= bytes.length), block);
  }
  return Buffer.concat(parts);
}

/** `bytes` as one compressed frame with its content size in the header. */
export function compressedFrame(bytes: Uint8Array): Uint8Array {
  const compressor = new Compressor();
  compressor.setParameters({ compressionLevel: METADATA_LEVEL, contentSizeFlag: true, checksumFlag: false, dictIDFlag: false });
  return compressor.compress(bytes);
}

/** Decodes one compressed frame whose content size is known to be acceptable; `undefined` if it cannot be decoded. */
export function decompressedFrame(frame: Uint8Array): Uint8Array | undefined {
  const decompressor = new Decompressor(); // a new one each time: after bad input an old one fails for good input too
  decompressor.setParameters({ windowLogMax: MAX_WINDOW_LOG });
  try {
    return decompressor.decompress(frame);
  } catch {
    return undefined;
  }
}

/** Where a compressed frame ends and how much it holds, found by walking its headers. */
export interface FrameExtent {
  /** Bytes in the file. */
  readonly length: number;
  /** Bytes when decoded. */
  readonly content: number;
}

/**
 * Walks the headers of one compressed frame at the start of `bytes` (RFC 8878 section 3.1.1).
 * @returns how many bytes are needed to see more of it, or its extent, or `undefined` for anything our writer does not
 * make: another magic number, a checksum, a dictionary, no content size, more than `FRAME_LIMIT`.
 */
export function frameExtent(bytes: Uint8Array): FrameExtent | { readonly needed: number } | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const longestHeader = 18;
  if (view.length < longestHeader) return { needed: longestHeader };
  if (view.readUInt32LE(0) !== FRAME_MAGIC) return undefined;
  const descriptor = view.readUInt8(4);
  const sizeFlag = descriptor >> 6;
  const singleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x1f) !== 0 || (sizeFlag === 0 && !singleSegment)) return undefined;
  let at = 5 + (singleSegment ? 0 : 1);
  const sizeBytes = [1, 2, 4, 8][sizeFlag]!;
  const claimed = sizeBytes === 8 ? Number(view.readBigUInt64LE(at)) : view.readUIntLE(at, sizeBytes);
  const content = sizeBytes === 2 ? claimed + 256 : claimed;
  if (content > FRAME_LIMIT) return undefined;
  at += sizeBytes;
  for (;;) {
    if (view.length < at + BLOCK_HEADER_BYTES) return { needed: at + BLOCK_HEADER_BYTES };
    const block = view.readUIntLE(at, BLOCK_HEADER_BYTES);
    const type = (block >> 1) & 3;
    if (type === 3) return undefined;
    at += BLOCK_HEADER_BYTES + (type === 1 ? 1 : block >> 3);
    if (at > 2 * FRAME_LIMIT) return undefined;
    if ((block & 1) === 1) return { length: at, content };
  }
}

/** A frame that every zstd reader passes over (RFC 8878 section 3.1.2). */
export function skippableFrame(content: Uint8Array): Uint8Array {
  return skippable(SKIPPABLE_MAGIC, content);
}

/**
 * The table of the zstd seekable format: one row for each frame before it; frames that hold no content count 0.
 * @param frames lengths in the file and when decoded, in bytes.
 */
export function seekTable(frames: readonly FrameExtent[]): Uint8Array {
  const content = Buffer.alloc(frames.length * 8 + 9);
  frames.forEach((frame, index) => {
    content.writeUInt32LE(frame.length, index * 8);
    content.writeUInt32LE(frame.content, index * 8 + 4);
  });
  content.writeUInt32LE(frames.length, frames.length * 8);
  content.writeUInt8(0, frames.length * 8 + 4);
  content.writeUInt32LE(SEEKABLE_MAGIC, frames.length * 8 + 5);
  return skippable(SEEK_TABLE_SKIPPABLE_MAGIC, content);
}

function skippable(magic: number, content: Uint8Array): Uint8Array {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(magic, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}
