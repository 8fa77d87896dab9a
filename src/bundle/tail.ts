import { type FrameExtent, seekTable, skippableFrame } from './frames.ts';
import { FORMAT } from './manifest.ts';

/** The listed and signed files of a bundle as they stand in its head, and verbatim in every copy of it. */
export interface Head {
  readonly sums: Uint8Array;
  /** Base64 on one line and a line feed. */
  readonly signature: Uint8Array;
  /** PEM SubjectPublicKeyInfo of the signer: shown, never trusted. */
  readonly publicKey: Uint8Array;
  readonly manifest: Uint8Array;
}

/** What a volume says of itself. */
export interface VolumeRecord {
  /** SHA-256 of SHA256SUMS, 32 bytes. */
  readonly bundleDigest: Uint8Array;
  /** Volume `number` of `count`, from 1. */
  readonly number: number;
  readonly count: number;
  /** Where the volume's part of the tar begins, and how long it is, in bytes of tar. */
  readonly tarOffset: number;
  readonly tarLength: number;
}

const MAGIC_WORD = 'OCPBUNDL';
const RECORD_BYTES = 104;

/** The record, fixed length, little-endian (docs/format.md, volumes and tails). */
function formatRecord(record: VolumeRecord, head: Head): Uint8Array {
  const bytes = Buffer.alloc(RECORD_BYTES);
  bytes.write(MAGIC_WORD, 0, 'ascii');
  bytes.writeUInt32LE(FORMAT, 8);
  bytes.writeUInt32LE(record.number, 12);
  bytes.writeUInt32LE(record.count, 16);
  bytes.set(record.bundleDigest, 24);
  const numbers = [record.tarOffset, record.tarLength, ...partsOf(head).map((part) => part.length)];
  numbers.forEach((value, index) => bytes.writeBigUInt64LE(BigInt(value), 56 + 8 * index));
  return bytes;
}

/**
 * What ends the last volume: the head copy, the record, the seek table, each in a frame that zstd passes over.
 * @param frames all frames of the volume that hold tar, in order.
 */
export function formatTail(record: VolumeRecord, head: Head, frames: readonly FrameExtent[]): Uint8Array {
  const recordBytes = formatRecord(record, head);
  const copy = skippableFrame(Buffer.concat([recordBytes, ...partsOf(head)]));
  const last = skippableFrame(recordBytes);
  const table = seekTable([...frames, { length: copy.length, content: 0 }, { length: last.length, content: 0 }]);
  return Buffer.concat([copy, last, table]);
}

/** How long the tail is, which needs no more than lengths. */
export function tailLength(head: Head, frameCount: number): number {
  const headBytes = partsOf(head).reduce((total, part) => total + part.length, 0);
  return 8 + RECORD_BYTES + headBytes + (8 + RECORD_BYTES) + (8 + 8 * (frameCount + 2) + 9);
}

function partsOf(head: Head): readonly Uint8Array[] {
  return [head.sums, head.signature, head.publicKey, head.manifest];
}
