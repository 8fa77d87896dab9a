import {
  BLOCK_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  type FrameExtent,
  isSkippableHeader,
  seekTable,
  seekTableLength,
  skippableFrame,
  skippableHeader,
  SKIPPABLE_HEADER_BYTES,
  storedFrameHeader,
} from './frames.ts';
import { FORMAT } from './manifest.ts';

/**
 * The listed and signed files of a bundle as they stand in its head, and verbatim in every copy of
 * it.
 */
export interface Head {
  readonly sums: Uint8Array;
  /** Base64 on one line and a line feed. */
  readonly signature: Uint8Array;
  /** PEM SubjectPublicKeyInfo of the signer: shown, never trusted. */
  readonly publicKey: Uint8Array;
  readonly manifest: Uint8Array;
}

/** The part of the tar that a volume holds, in bytes of tar. */
export interface Cut {
  readonly tarOffset: number;
  readonly tarLength: number;
}

/** The facts about a volume in its record. */
export interface VolumeRecord extends Cut {
  /** SHA-256 of SHA256SUMS, 32 bytes. */
  readonly bundleDigest: Uint8Array;
  /** Volume `number` of `count`, from 1. */
  readonly number: number;
  readonly count: number;
}

const MAGIC_WORD = 'OCPBUNDL';
const RECORD_BYTES = 104;
const NUMBERS_AT = 56;
/** The record in a frame that zstd passes over. */
export const RECORD_FRAME_BYTES = SKIPPABLE_HEADER_BYTES + RECORD_BYTES;

/** The record, fixed length, little-endian (docs/format.md, volumes and tails). */
function formatRecord(record: VolumeRecord, head: Head): Uint8Array {
  const bytes = Buffer.alloc(RECORD_BYTES);
  bytes.write(MAGIC_WORD, 0, 'ascii');
  bytes.writeUInt32LE(FORMAT, 8);
  bytes.writeUInt32LE(record.number, 12);
  bytes.writeUInt32LE(record.count, 16);
  bytes.set(record.bundleDigest, 24);
  const numbers = [record.tarOffset, record.tarLength, ...partsOf(head).map((part) => part.length)];
  numbers.forEach((value, index) => bytes.writeBigUInt64LE(BigInt(value), NUMBERS_AT + 8 * index));
  return bytes;
}

/**
 * The record at the start of a skippable frame, as it stands there, and how long the parts of the
 * head are that may follow it.
 */
export interface FoundRecord {
  readonly record: VolumeRecord;
  /** Bytes of SHA256SUMS, its signature, the key and bundle.json. */
  readonly partLengths: readonly [number, number, number, number];
}

/**
 * Reads a record that nobody has checked yet: only a comparison with the one that belongs there
 * makes it worth anything.
 * @param frame at least {@link RECORD_FRAME_BYTES} from the start of its frame.
 * @returns `undefined` for anything but a record of this format whose numbers can be computed with.
 */
export function readRecord(frame: Uint8Array): FoundRecord | undefined {
  if (frame.length < RECORD_FRAME_BYTES || !isSkippableHeader(frame)) return undefined;
  const bytes = Buffer.from(frame.buffer, frame.byteOffset + SKIPPABLE_HEADER_BYTES, RECORD_BYTES);
  if (bytes.toString('latin1', 0, 8) !== MAGIC_WORD || bytes.readUInt32LE(8) !== FORMAT)
    return undefined;
  const numbers = Array.from({ length: 6 }, (_, index) =>
    Number(bytes.readBigUInt64LE(NUMBERS_AT + 8 * index)),
  );
  if (numbers.some((value) => !Number.isSafeInteger(value))) return undefined;
  const [tarOffset, tarLength, sums, signature, publicKey, manifest] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    record: {
      bundleDigest: Uint8Array.from(bytes.subarray(24, 56)),
      number: bytes.readUInt32LE(12),
      count: bytes.readUInt32LE(16),
      tarOffset,
      tarLength,
    },
    partLengths: [sums, signature, publicKey, manifest],
  };
}

/**
 * The copy of the head that begins every volume but the first, and ends the last: a frame that zstd
 * passes over.
 */
export function headCopy(record: VolumeRecord, head: Head): Uint8Array {
  return Buffer.concat(headCopyParts(record, head));
}

/** The same in pieces: the files of the head, which may be large, are not copied. */
function headCopyParts(record: VolumeRecord, head: Head): readonly Uint8Array[] {
  const bytes = formatRecord(record, head);
  const header = skippableHeader(headCopyLength(head) - SKIPPABLE_HEADER_BYTES);
  return [header, bytes, ...partsOf(head)];
}

export function headCopyLength(head: Head): number {
  return RECORD_FRAME_BYTES + partsOf(head).reduce((total, part) => total + part.length, 0);
}

/**
 * The end of a volume: in the last volume the copy of the head, then the record and the seek table,
 * each in a skippable frame.
 * @param frames all frames of the volume that hold tar, in order.
 */
export function formatTail(
  record: VolumeRecord,
  head: Head,
  frames: readonly FrameExtent[],
): Uint8Array {
  return Buffer.concat(tailParts(record, head, frames));
}

/** The same in pieces: the files of the head, which may be large, are not copied. */
export function tailParts(
  record: VolumeRecord,
  head: Head,
  frames: readonly FrameExtent[],
): readonly Uint8Array[] {
  const last = skippableFrame(formatRecord(record, head));
  const copyExtent = { length: headCopyLength(head), content: 0 };
  const { leading, trailing } = copiesIn(record);
  const table = seekTable([
    ...(leading ? [copyExtent] : []),
    ...frames,
    ...(trailing ? [copyExtent] : []),
    { length: last.length, content: 0 },
  ]);
  return [...(trailing ? headCopyParts(record, head) : []), last, table];
}

/**
 * How long the tail is, which needs no more than lengths. @param frameCount frames of the volume
 * that hold tar.
 */
export function tailLength(
  { leading, trailing }: Copies,
  copyLength: number,
  frameCount: number,
): number {
  const rows = frameCount + Number(leading) + Number(trailing) + 1;
  return (trailing ? copyLength : 0) + RECORD_FRAME_BYTES + seekTableLength(rows);
}

/** Which copies of the head a volume has beside its tar. */
export interface Copies {
  readonly leading: boolean;
  readonly trailing: boolean;
}

export function copiesIn({
  number,
  count,
}: {
  readonly number: number;
  readonly count: number;
}): Copies {
  return { leading: number > 1, trailing: number === count };
}

function partsOf(head: Head): readonly Uint8Array[] {
  return [head.sums, head.signature, head.publicKey, head.manifest];
}

/** What is the same at the start of each first volume, and of each later one. */
const VOLUME_STARTS: readonly (readonly { readonly at: number; readonly bytes: Uint8Array }[])[] = [
  [
    { at: 0, bytes: storedFrameHeader(1).subarray(0, 6) },
    { at: FRAME_HEADER_BYTES + BLOCK_HEADER_BYTES, bytes: Buffer.from('SHA256SUMS\0') },
  ],
  [
    { at: 0, bytes: skippableHeader(0).subarray(0, 4) },
    { at: SKIPPABLE_HEADER_BYTES, bytes: Buffer.from(MAGIC_WORD) },
  ],
];
/** How much {@link beginsAsVolume} looks at. */
export const VOLUME_START_BYTES = 28;

/**
 * Whether bytes may be the first of a volume, whole or cut off: the first volume begins with
 * `SHA256SUMS` in a stored frame, the others with a record.
 */
export function beginsAsVolume(start: Uint8Array): boolean {
  return VOLUME_STARTS.some((pieces) =>
    pieces.every(({ at, bytes }) => {
      const found = start.subarray(at, at + bytes.length);
      return Buffer.compare(found, bytes.subarray(0, found.length)) === 0;
    }),
  );
}
