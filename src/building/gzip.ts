import { crc32 } from 'node:zlib';

/** The most bytes of a block that is not compressed (RFC 1951 section 3.2.4). */
const MAX_STORED = 0xffff;

/**
 * A gzip file (RFC 1952) whose content is stored, not compressed. What a compressor makes of some
 * bytes depends on its version, and so on that of Node: these bytes are the same everywhere.
 */
export function gzipStored(content: Uint8Array): Uint8Array {
  // Deflate, no flags, no time, no extra flags, system unknown.
  const parts: Uint8Array[] = [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])];
  for (let at = 0; at === 0 || at < content.length; at += MAX_STORED) {
    const piece = content.subarray(at, at + MAX_STORED);
    const head = Buffer.alloc(5);
    head.writeUInt8(at + MAX_STORED >= content.length ? 1 : 0, 0);
    head.writeUInt16LE(piece.length, 1);
    head.writeUInt16LE(~piece.length & 0xffff, 3);
    parts.push(head, piece);
  }
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(content), 0);
  tail.writeUInt32LE(content.length % 2 ** 32, 4);
  return Buffer.concat([...parts, tail]);
}
