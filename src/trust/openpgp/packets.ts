import { BundleError } from '../../core/errors.ts';

/** Packet tags of RFC 4880 section 4.3 that a signed message is made of. */
export const SIGNATURE = 2;
export const ONE_PASS_SIGNATURE = 4;
export const COMPRESSED_DATA = 8;
export const LITERAL_DATA = 11;

export interface Packet {
  readonly tag: number;
  /** The body, with its partial lengths put together. */
  readonly body: Uint8Array;
  /** Offset of the first byte behind the packet. */
  readonly end: number;
}

/**
 * Reads the packet that begins at `offset` (RFC 4880 section 4.2): old and new headers, partial and
 * indeterminate lengths.
 * @throws BundleError SIGNATURE_INVALID when the bytes end before the packet does, or are no
 * packet.
 */
export function readPacket(bytes: Uint8Array, offset: number): Packet {
  const header = byteAt(bytes, offset);
  if ((header & 0x80) === 0) throw malformed('it is not made of OpenPGP packets');
  return (header & 0x40) === 0
    ? readOldPacket(bytes, offset, header)
    : readNewPacket(bytes, offset, header);
}

/** The failure of a message that cannot be read as what it should be. */
export function malformed(why: string, hint?: string): BundleError {
  return new BundleError('SIGNATURE_INVALID', `the release signature cannot be read: ${why}`, {
    hint: hint ?? 'Fetch the signature again, or from another store with --signature-store.',
  });
}

export function uint16(bytes: Uint8Array, offset: number): number {
  return byteAt(bytes, offset) * 0x100 + byteAt(bytes, offset + 1);
}

export function uint32(bytes: Uint8Array, offset: number): number {
  return uint16(bytes, offset) * 0x10000 + uint16(bytes, offset + 2);
}

export function byteAt(bytes: Uint8Array, offset: number): number {
  const byte = bytes[offset];
  if (byte === undefined) throw malformed('it ends too early');
  return byte;
}

/** `length` bytes from `start` on, all of them. */
export function slice(bytes: Uint8Array, start: number, length: number): Uint8Array {
  if (length < 0 || start + length > bytes.length) throw malformed('it ends too early');
  return bytes.subarray(start, start + length);
}

function readOldPacket(bytes: Uint8Array, offset: number, header: number): Packet {
  const tag = (header >> 2) & 0x0f;
  const at = offset + 1;
  const lengthType = header & 0x03;
  if (lengthType === 3) return { tag, body: bytes.subarray(at), end: bytes.length };
  const lengthSize = [1, 2, 4][lengthType]!;
  const length =
    lengthSize === 1 ? byteAt(bytes, at) : lengthSize === 2 ? uint16(bytes, at) : uint32(bytes, at);
  return { tag, body: slice(bytes, at + lengthSize, length), end: at + lengthSize + length };
}

function readNewPacket(bytes: Uint8Array, offset: number, header: number): Packet {
  const tag = header & 0x3f;
  const parts: Uint8Array[] = [];
  for (let at = offset + 1; ;) {
    const { start, length, partial } = readNewLength(bytes, at);
    if (partial && tag !== LITERAL_DATA && tag !== COMPRESSED_DATA)
      throw malformed('a packet that is no data has a partial length');
    parts.push(slice(bytes, start, length));
    at = start + length;
    if (!partial)
      return { tag, body: parts.length === 1 ? parts[0]! : Buffer.concat(parts), end: at };
  }
}

function readNewLength(
  bytes: Uint8Array,
  at: number,
): { start: number; length: number; partial: boolean } {
  const first = byteAt(bytes, at);
  if (first < 192) return { start: at + 1, length: first, partial: false };
  if (first < 224)
    return {
      start: at + 2,
      length: (first - 192) * 0x100 + byteAt(bytes, at + 1) + 192,
      partial: false,
    };
  if (first < 255) return { start: at + 1, length: 2 ** (first & 0x1f), partial: true };
  return { start: at + 5, length: uint32(bytes, at + 1), partial: false };
}
