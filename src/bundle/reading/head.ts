import type { BundleError } from '../../core/errors.ts';
import { MAX_LISTING_BYTES } from '../../core/limits.ts';
import type { VolumeSource } from './file.ts';
import { FRAME_HEADER_BYTES, storedContentSize } from '../format/frames.ts';
import { storedSectionLength } from '../format/layout.ts';
import { decodeSignatureFile } from '../format/signature-file.ts';
import { type FoundRecord, type Head, readRecord, RECORD_FRAME_BYTES } from '../format/tail.ts';
import { claimedSizeAndTime, entryLength, TAR_BLOCK } from '../format/tar.ts';
import { entriesOf } from './tar-entries.ts';
import { unusable } from '../format/unusable.ts';

const MAX_SEAL_FILE_BYTES = 64 * 1024;

/**
 * The listing of a bundle and its signature, as a volume has them: nobody has checked the signature
 * yet.
 */
export interface FoundHead {
  readonly sums: Uint8Array;
  /** Signature file and key as they stand there. */
  readonly seal: Pick<Head, 'signature' | 'publicKey'>;
  /** The signature itself. */
  readonly signature: Uint8Array;
}

/** The head as it stands at the front of the first volume. */
export interface FrontHead extends FoundHead {
  /** Seconds since 1970, of all entries. */
  readonly mtime: number;
  /** Where the compressed part begins, in bytes from the start of the volume. */
  readonly metadataOffset: number;
}

/** A copy of the head, with the record before it. */
export interface CopiedHead extends FoundHead, FoundRecord {
  readonly manifest: Uint8Array;
}

/** @throws BundleError BUNDLE_UNUSABLE for a file that does not begin as a bundle does. */
export async function readFrontHead({ file, start }: VolumeSource): Promise<FrontHead> {
  const first = await file.readUpTo(start, FRAME_HEADER_BYTES);
  if (first.length === 0) {
    throw unusable(`${file.path} is not a bundle: it is empty`, {
      hint: Number.isFinite(file.size)
        ? 'It was copied badly, or not at all: copy the bundle again from where it was made.'
        : 'Nothing came through the pipe: see what the program says that sends it.',
    });
  }
  const listingLength = storedContentSize(first);
  if (listingLength === undefined) throw await notABundle(file, start);
  const listing = await file.readStored(start, listingLength, 'SHA256SUMS');
  const claimed = claimedSizeAndTime(listing.subarray(0, TAR_BLOCK));
  if (claimed === undefined)
    throw unusable(`${file.path} is not a bundle: it does not begin with SHA256SUMS`, {
      hint: NAMED,
    });
  const { mtime } = claimed;
  const [sums] = entriesOf(listing, ['SHA256SUMS'], mtime, MAX_LISTING_BYTES);

  const sealOffset = storedSectionLength(listingLength);
  const sealLength = storedContentSize(await file.read(start + sealOffset, FRAME_HEADER_BYTES));
  if (sealLength === undefined || sealLength > 2 * entryLength(MAX_SEAL_FILE_BYTES))
    throw unusable('no signature follows SHA256SUMS');
  const sealTar = await file.readStored(start + sealOffset, sealLength, 'SHA256SUMS.sig');
  const [signature, publicKey] = entriesOf(
    sealTar,
    ['SHA256SUMS.sig', 'SHA256SUMS.pub'],
    mtime,
    MAX_SEAL_FILE_BYTES,
  );
  return {
    ...foundHead(sums!, signature!, publicKey!),
    mtime,
    metadataOffset: sealOffset + storedSectionLength(sealLength),
  };
}

const NAMED =
  'A bundle is what bundle pack writes, a file such as ocp-4.17.3-x86_64.tar.zst: name that, or ' +
  'its folder.';

/** What files begin with that are given in place of a bundle. */
const BEGINNINGS: readonly (readonly [string, string])[] = [
  ['1f8b', 'a gzip file'],
  ['28b52ffd', 'a zstd file that bundle pack has not written'],
  ['fd377a585a00', 'an xz file'],
  ['425a68', 'a bzip2 file'],
  ['504b0304', 'a zip file'],
  ['89504e47', 'a PNG image'],
  ['25504446', 'a PDF file'],
  ['7f454c46', 'a program (ELF)'],
  ['2d2d2d2d2d424547494e', 'a PEM file: a key or a certificate'],
  ['7b', 'a text, as JSON is'],
  ['53514c697465', 'an SQLite database'],
];

/** Of a file that does not begin as a bundle does: what it is in its place. */
async function notABundle(file: VolumeSource['file'], start: number): Promise<BundleError> {
  const bytes = Buffer.from(await file.readUpTo(start, TAR_BLOCK));
  const hex = bytes.toString('hex');
  const isTar = bytes.toString('latin1', 257, 262) === 'ustar';
  const known = BEGINNINGS.find(([beginning]) => hex.startsWith(beginning))?.[1];
  const isText = bytes.every((byte) => byte >= 32 || [9, 10, 13].includes(byte));
  const what = isTar ? 'a tar without compression' : (known ?? (isText ? 'a text' : undefined));
  if (what !== undefined)
    return unusable(`${file.path} is not a bundle: it is ${what}`, { hint: NAMED });
  return unusable(`${file.path} is not a bundle, or is damaged: it does not begin as one does`, {
    hint: `If it was a bundle: verify it where it was made, then copy it again. ${NAMED}`,
  });
}

/**
 * A copy of the head. @param offset where its frame begins in the volume.
 * @throws BundleError BUNDLE_UNUSABLE where there is none.
 */
export async function readHeadCopy(
  { file, start }: VolumeSource,
  offset: number,
): Promise<CopiedHead> {
  const isInside = offset >= 0 && start + offset < file.size;
  const found = isInside
    ? readRecord(
        await file.read(start + offset, Math.min(RECORD_FRAME_BYTES, file.size - start - offset)),
      )
    : undefined;
  if (found === undefined)
    throw unusable(`${file.path} is not a volume of a bundle`, { hint: NAMED });
  const limits = [MAX_LISTING_BYTES, MAX_SEAL_FILE_BYTES, MAX_SEAL_FILE_BYTES, MAX_LISTING_BYTES];
  const parts: Uint8Array[] = [];
  let at = start + offset + RECORD_FRAME_BYTES;
  for (const [index, length] of found.partLengths.entries()) {
    if (length > limits[index]! || at + length > file.size)
      throw unusable(`the copy of the head in ${file.path} is cut off`);
    parts.push(await file.read(at, length));
    at += length;
  }
  const [sums, signature, publicKey, manifest] = parts as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  return { ...found, ...foundHead(sums, signature, publicKey), manifest };
}

function foundHead(sums: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): FoundHead {
  const raw = decodeSignatureFile(signature);
  if (raw === undefined) throw unusable('SHA256SUMS.sig is not a single line of base64');
  return { sums, seal: { signature, publicKey }, signature: raw };
}
