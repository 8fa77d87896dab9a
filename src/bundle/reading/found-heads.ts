import { digestOf } from '../../core/digest.ts';
import { isDamage } from './fault.ts';
import type { Piece } from './found-volumes.ts';
import {
  type CopiedHead,
  type FoundHead,
  type FrontHead,
  readFrontHead,
  readHeadCopy,
} from './head.ts';
import type { Candidate } from './settle.ts';
import { copiesIn, type FoundRecord, RECORD_FRAME_BYTES } from '../format/tail.ts';
import { unusable } from '../format/unusable.ts';

/** A limit. Damage leaves only a few different heads; a file with many was made to fill memory. */
const MAX_COPIES = 8;

/** The pieces of a bundle, and the heads that stand in them. */
export interface FoundHeads {
  readonly pieces: readonly Candidate[];
  /** The front of the first volume. */
  readonly front: FrontHead | undefined;
  /** Those that differ. */
  readonly copies: readonly CopiedHead[];
}

/**
 * Reads every head that stands in the pieces: the front of the first volume, and the copies.
 * @throws BundleError BUNDLE_UNUSABLE when there is none.
 */
export async function readHeads(pieces: readonly Piece[]): Promise<FoundHeads> {
  let reason = unusable('no file was named');
  const tried = async <T>(read: Promise<T>): Promise<T | undefined> => {
    try {
      return await read;
    } catch (error) {
      if (!isDamage(error)) throw error;
      reason = error;
      return undefined;
    }
  };
  const candidates: Candidate[] = [];
  const copies = new Map<string, CopiedHead>();
  const keep = (copy: CopiedHead | undefined): void => {
    if (copy !== undefined && copies.size < MAX_COPIES)
      copies.set(`${keyOf(copy)} ${digestOf(copy.manifest)}`, copy);
  };
  let front: FrontHead | undefined;
  for (const piece of pieces) {
    const { ending } = piece;
    const copy = await tried(readHeadCopy(piece, 0));
    const own = copy === undefined ? await tried(readFrontHead(piece)) : undefined;
    const sums = copy?.sums ?? own?.sums;
    candidates.push({
      ...piece,
      isFirst: own !== undefined || (copy === undefined && ending?.record.number === 1),
      record: copy?.record,
      listing: sums && digestOf(sums),
    });
    front ??= own;
    keep(copy);
    if (ending !== undefined && copiesIn(ending.record).trailing) {
      keep(await tried(readHeadCopy(piece, ending.recordOffset - copyLengthOf(ending))));
    }
  }
  if (front === undefined && copies.size === 0) throw reason;
  return { pieces: candidates, front, copies: [...copies.values()] };
}

/** Those of the heads that differ. */
export function distinct(heads: readonly FoundHead[]): readonly FoundHead[] {
  return heads.filter(
    (head, index) => heads.findIndex((other) => keyOf(other) === keyOf(head)) === index,
  );
}

function copyLengthOf({ partLengths }: FoundRecord): number {
  return partLengths.reduce((total, length) => total + length, RECORD_FRAME_BYTES);
}

function keyOf({ sums, seal }: FoundHead): string {
  return [sums, seal.signature, seal.publicKey].map(digestOf).join(' ');
}
