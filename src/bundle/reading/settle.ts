import type { Digest } from '../../core/digest.ts';
import type { FoundVolume, Piece } from './found-volumes.ts';
import type { VolumeRecord } from '../format/tail.ts';
import { cutIntoVolumes, layOutVolume, type Uncut, wholeTar } from '../format/volumes.ts';

/** A piece with what it says of itself in front. */
export interface Candidate extends Piece {
  /** It begins as the first volume does. */
  readonly isFirst: boolean;
  /** The record in the copy of the head in front of the volume. */
  readonly record: VolumeRecord | undefined;
  /** The digest of the listing that it begins with. */
  readonly listing: Digest | undefined;
}

/**
 * Decides which volume each piece is. What a volume says of itself stands in it twice, and must fit
 * its length; what the first one said where it is damaged follows from the volume behind it, or
 * from its length, since it was filled. A piece that nothing can be made of is left out. Whatever
 * is decided here is compared with the bytes afterwards.
 */
export function settle(pieces: readonly Candidate[], uncut: Uncut): readonly FoundVolume[] {
  const others = pieces
    .filter(({ isFirst }) => !isFirst)
    .flatMap((piece) => settled(piece, saidBy(piece), uncut));
  const firsts = pieces
    .filter(({ isFirst }) => isFirst)
    .flatMap((piece) =>
      settled(piece, [...saidBy(piece), ...guessesOfFirst(piece, others, uncut)], uncut),
    );
  return [...firsts, ...others];
}

function settled(
  { file, start, length }: Piece,
  records: readonly VolumeRecord[],
  uncut: Uncut,
): FoundVolume[] {
  const possible = records.filter((record) => layOutVolume(uncut, record) !== undefined);
  const record =
    possible.find((candidate) => layOutVolume(uncut, candidate)!.size === length) ??
    possible[0] ??
    records[0];
  return record === undefined ? [] : [{ file, start, length, record }];
}

function saidBy({ ending, record, isFirst }: Candidate): readonly VolumeRecord[] {
  const said = [ending?.record, record].filter((one) => one !== undefined);
  return isFirst ? said.filter(({ number, tarOffset }) => number === 1 && tarOffset === 0) : said;
}

function guessesOfFirst(
  { length }: Piece,
  others: readonly FoundVolume[],
  uncut: Uncut,
): readonly VolumeRecord[] {
  const [other] = others;
  const bundleDigest = other?.record.bundleDigest ?? new Uint8Array(32);
  const second = others.find(({ record }) => record.number === 2)?.record;
  const record = (count: number, tarLength: number): VolumeRecord => ({
    bundleDigest,
    number: 1,
    count,
    tarOffset: 0,
    tarLength,
  });
  const whole = wholeTar(uncut.sections).tarLength;
  if (other === undefined) return [record(1, whole)];
  if (second !== undefined) return [record(other.record.count, second.tarOffset)];
  try {
    return [record(other.record.count, cutIntoVolumes(uncut, length)[0]!.tarLength)];
  } catch {
    return []; // it is shorter than any first volume can be
  }
}

/** Where the part of the tar begins that a piece holds, as it says. */
export function tarOffsetOf({ ending, record, isFirst }: Candidate): number {
  return isFirst ? 0 : (ending?.record.tarOffset ?? record?.tarOffset ?? 0);
}
