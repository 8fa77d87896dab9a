import { Compressor, Decompressor } from 'zstd-napi';

/** Most bytes of tar in one frame. */
export const FRAME_LIMIT = 64 * 1024 * 1024;
/** Most bytes of metadata in one frame: it is compressed and decoded whole, in memory. */
export const METADATA_FRAME_LIMIT = 8 * 1024 * 1024;
/**
 * A stored frame consists of raw blocks of this size, but the last (RFC 8878 section 3.1.1.2: at
 * most 128 KiB).
 */
export const BLOCK_SIZE = 128 * 1024;
export const FRAME_HEADER_BYTES = 14;
export const BLOCK_HEADER_BYTES = 3;

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a5b;
const SEEK_TABLE_SKIPPABLE_MAGIC = 0x184d2a5e;
const SEEKABLE_MAGIC = 0x8f92eab1;
/**
 * 8-byte content size, no checksum, no dictionary, not a single segment (RFC 8878 section
 * 3.1.1.1.1).
 */
const STORED_DESCRIPTOR = 0xc0;
/** 2^(10+7) = 128 KiB (RFC 8878 section 3.1.1.1.2). */
const STORED_WINDOW = 7 << 3;
/**
 * zstd's own default: over 400 MB/s for manifests. Level 19 saves an eighth of them, which is
 * nothing beside the layers, and takes a minute for the manifests of 20,000 images.
 */
const METADATA_LEVEL = 3;
/** Frames hold at most 64 MiB, so a window never needs to be larger. */
const MAX_WINDOW_LOG = 26;

/** Length in the file of a stored frame of `content` bytes. */
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

/**
 * The content size that the header of a stored frame names, or `undefined` if it is not exactly
 * such a header.
 */
export function storedContentSize(header: Uint8Array): number | undefined {
  if (header.length < FRAME_HEADER_BYTES) return undefined;
  const view = Buffer.from(header.buffer, header.byteOffset, FRAME_HEADER_BYTES);
  const size = view.readBigUInt64LE(6);
  if (size > BigInt(FRAME_LIMIT) || size === 0n) return undefined;
  return view.equals(storedFrameHeader(Number(size))) ? Number(size) : undefined;
}

/** Whether a frame begins here that has content and is no stored one. */
export function beginsCompressed(bytes: Uint8Array): boolean {
  if (bytes.length < FRAME_HEADER_BYTES || storedContentSize(bytes) !== undefined) return false;
  return (
    Buffer.from(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES).readUInt32LE(0) === FRAME_MAGIC
  );
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

/** Makes frames of the metadata; each use of another one costs some MiB until they are collected. */
export function metadataCompressor(): Compressor {
  const compressor = new Compressor();
  compressor.setParameters({
    compressionLevel: METADATA_LEVEL,
    contentSizeFlag: true,
    checksumFlag: false,
    dictIDFlag: false,
  });
  return compressor;
}

/** `bytes` as one compressed frame with its content size in the header. */
export function compressedFrame(
  bytes: Uint8Array,
  compressor: Compressor = metadataCompressor(),
): Uint8Array {
  return compressor.compress(bytes);
}

/**
 * Decodes one compressed frame whose content size is known to be acceptable; `undefined` if it
 * cannot be decoded.
 */
export function decompressedFrame(frame: Uint8Array): Uint8Array | undefined {
  // A new one each time: after bad input an old one fails for good input too.
  const decompressor = new Decompressor();
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
 * @returns how many bytes are needed to see more of it, or its extent, or `undefined` for anything
 * our writer does not make: another magic number, a checksum, a dictionary, no content size, more
 * than `FRAME_LIMIT`.
 */
export function frameExtent(
  bytes: Uint8Array,
): FrameExtent | { readonly needed: number } | undefined {
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
  const claimed =
    sizeBytes === 8 ? Number(view.readBigUInt64LE(at)) : view.readUIntLE(at, sizeBytes);
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

/** Magic number and length before the content of a skippable frame. */
export const SKIPPABLE_HEADER_BYTES = 8;

/** Whether a frame begins here as {@link skippableFrame} makes it. */
export function isSkippableHeader(bytes: Uint8Array): boolean {
  return (
    Buffer.from(bytes.buffer, bytes.byteOffset, SKIPPABLE_HEADER_BYTES).readUInt32LE(0) ===
    SKIPPABLE_MAGIC
  );
}

/** A frame that every zstd reader passes over (RFC 8878 section 3.1.2). */
export function skippableFrame(content: Uint8Array): Uint8Array {
  return Buffer.concat([skippableHeader(content.length), content]);
}

/** The header of a skippable frame of `length` bytes, which every zstd reader skips. */
export function skippableHeader(length: number): Uint8Array {
  return headerOf(SKIPPABLE_MAGIC, length);
}

/** Length of a row of the seek table. */
export const SEEK_ROW_BYTES = 8;

export function seekTableLength(rows: number): number {
  return SKIPPABLE_HEADER_BYTES + SEEK_ROW_BYTES * rows + SEEK_FOOTER_BYTES;
}

/**
 * The table of the zstd seekable format: one row for each frame before it; frames that hold no
 * content count 0.
 * @param frames lengths in the file and when decoded, in bytes.
 */
export function seekTable(frames: readonly FrameExtent[]): Uint8Array {
  const content = Buffer.alloc(frames.length * SEEK_ROW_BYTES + SEEK_FOOTER_BYTES);
  frames.forEach((frame, index) => {
    content.writeUInt32LE(frame.length, index * 8);
    content.writeUInt32LE(frame.content, index * 8 + 4);
  });
  content.writeUInt32LE(frames.length, frames.length * 8);
  content.writeUInt8(0, frames.length * 8 + 4);
  content.writeUInt32LE(SEEKABLE_MAGIC, frames.length * 8 + 5);
  return Buffer.concat([headerOf(SEEK_TABLE_SKIPPABLE_MAGIC, content.length), content]);
}

/** The last bytes of a seek table: number of rows, descriptor, magic number. */
export const SEEK_FOOTER_BYTES = 9;

/**
 * How many rows the seek table has that ends with `footer`; `undefined` if it is no footer of ours.
 */
export function seekTableRows(footer: Uint8Array): number | undefined {
  const view = Buffer.from(footer.buffer, footer.byteOffset, SEEK_FOOTER_BYTES);
  return view.readUInt32LE(5) === SEEKABLE_MAGIC && view.readUInt8(4) === 0
    ? view.readUInt32LE(0)
    : undefined;
}

/**
 * The rows of a seek table that nobody has checked yet; `undefined` if the frame is not one. @param
 * table the whole frame.
 */
export function readSeekTable(table: Uint8Array): FrameExtent[] | undefined {
  const view = Buffer.from(table.buffer, table.byteOffset, table.byteLength);
  if (
    view.readUInt32LE(0) !== SEEK_TABLE_SKIPPABLE_MAGIC ||
    view.readUInt32LE(4) !== view.length - SKIPPABLE_HEADER_BYTES
  )
    return undefined;
  const rows: FrameExtent[] = [];
  for (
    let at = SKIPPABLE_HEADER_BYTES;
    at < view.length - SEEK_FOOTER_BYTES;
    at += SEEK_ROW_BYTES
  ) {
    rows.push({ length: view.readUInt32LE(at), content: view.readUInt32LE(at + 4) });
  }
  return rows;
}

function headerOf(magic: number, length: number): Uint8Array {
  const header = Buffer.alloc(SKIPPABLE_HEADER_BYTES);
  header.writeUInt32LE(magic, 0);
  header.writeUInt32LE(length, 4);
  return header;
}
