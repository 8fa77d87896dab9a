import { crc32 } from 'node:zlib';

import type { ByteStream } from '../core/bytes.ts';

/** The most bytes of a block that is not compressed (RFC 1951 section 3.2.4). */
const MAX_STORED = 0xffff;

/**
 * A gzip file (RFC 1952) whose content is stored, not compressed. What a compressor makes of some
 * bytes depends on its version, and so on that of Node: these bytes are the same everywhere.
 */
export function gzipStored(content: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [HEAD];
  for (let at = 0; at === 0 || at < content.length; at += MAX_STORED) {
    const piece = content.subarray(at, at + MAX_STORED);
    parts.push(blockHead(piece.length, at + MAX_STORED >= content.length), piece);
  }
  return Buffer.concat([...parts, tailOf(crc32(content), content.length)]);
}

/**
 * The bytes of {@link gzipStored}, piece by piece. A piece is good until the next one is asked for.
 * @param length of the content.
 */
export async function* streamGzipStored(
  content: ByteStream,
  length: number,
): AsyncGenerator<Uint8Array> {
  yield HEAD;
  const block = Buffer.allocUnsafeSlow(Math.min(MAX_STORED, length));
  let filled = 0;
  let before = 0;
  let sum = 0;
  for await (const chunk of content) {
    sum = crc32(chunk, sum);
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + block.length - filled);
      block.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < block.length) continue;
      before += filled;
      yield blockHead(filled, before >= length);
      yield block;
      filled = 0;
    }
  }
  if (filled > 0 || length === 0) {
    yield blockHead(filled, true);
    yield block.subarray(0, filled);
  }
  yield tailOf(sum, length);
}

/** Deflate, no flags, no time, no extra flags, system unknown. */
const HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

function blockHead(length: number, isLast: boolean): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt8(isLast ? 1 : 0, 0);
  head.writeUInt16LE(length, 1);
  head.writeUInt16LE(~length & 0xffff, 3);
  return head;
}

function tailOf(sum: number, length: number): Uint8Array {
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(sum, 0);
  tail.writeUInt32LE(length % 2 ** 32, 4);
  return tail;
}
