import type { BundleError } from '../../core/errors.ts';
import { MAX_LISTING_BYTES } from '../../core/limits.ts';
import type { BundleFile, VolumeSource } from './file.ts';
import { type Fault, isDamage, NotOneBundle, VOLUME_END } from './fault.ts';
import {
  type FrameExtent,
  readSeekTable,
  SEEK_FOOTER_BYTES,
  seekTableLength,
  seekTableRows,
} from '../format/frames.ts';
import {
  type FoundRecord,
  readRecord,
  RECORD_FRAME_BYTES,
  type VolumeRecord,
} from '../format/tail.ts';
import { TAR_BLOCK } from '../format/tar.ts';
import { unusable } from '../format/unusable.ts';
import { MAX_VOLUMES } from '../format/volumes.ts';

/** A volume, as far as its own last bytes tell: nothing of it has been checked. */
export interface FoundVolume extends VolumeSource {
  /** Bytes. */
  readonly length: number;
  readonly record: VolumeRecord;
}

/** A stretch of a file that ends as a volume does, or is what is left before one. */
export interface Piece extends VolumeSource {
  readonly length: number;
  /** The record and seek table at its end; `undefined` if they are damaged. */
  readonly ending: Ending | undefined;
  /** Why there is no ending. It may be told once more is known: of a cut, how much is missing. */
  readonly fault?: Fault | undefined;
}

export interface Ending extends FoundRecord {
  /** The frames that the seek table lists. */
  readonly frames: readonly FrameExtent[];
  /** Where the record's frame begins in the piece. */
  readonly recordOffset: number;
}

/**
 * The volumes that a file consists of, in its order: mostly one. Each says in its last bytes where
 * it begins, so that the way goes from the end to the start. Where a file does not end, or begin,
 * with a volume, what is left is the first piece, and has a fault.
 */
export async function piecesIn(file: BundleFile): Promise<readonly Piece[]> {
  const found: Piece[] = [];
  for (let end = file.size; end > 0 || found.length === 0; end = found[0]!.start) {
    if (found.length === MAX_VOLUMES)
      throw unusable(`${file.path} consists of more than ${MAX_VOLUMES} volumes`);
    try {
      found.unshift(await pieceBefore(file, end));
    } catch (error) {
      if (!isDamage(error)) throw error;
      const fault = {
        path: file.path,
        start: Math.max(end - RECORD_FRAME_BYTES, 0),
        end,
        entries: [VOLUME_END],
        error,
      };
      found.unshift({ file, start: 0, length: end, ending: undefined, fault });
      break;
    }
  }
  return found;
}

async function pieceBefore(file: BundleFile, end: number): Promise<Piece> {
  const where = end === file.size ? 'at its end' : `at byte ${end}`;
  const fault = unusable(
    `${file.path} does not end as a bundle does ${where}: it is cut off, changed, or not a bundle`,
  );
  if (end < SEEK_FOOTER_BYTES) throw fault;
  const rows = seekTableRows(await file.read(end - SEEK_FOOTER_BYTES, SEEK_FOOTER_BYTES));
  if (rows === undefined) throw fault;
  const tableLength = seekTableLength(rows);
  if (tableLength > MAX_LISTING_BYTES || tableLength + RECORD_FRAME_BYTES > end) throw fault;
  const tail = await file.read(
    end - tableLength - RECORD_FRAME_BYTES,
    RECORD_FRAME_BYTES + tableLength,
  );
  const frames = readSeekTable(tail.subarray(RECORD_FRAME_BYTES));
  const found = readRecord(tail.subarray(0, RECORD_FRAME_BYTES));
  const length = frames?.reduce((total, row) => total + row.length, tableLength);
  if (found === undefined || frames === undefined || length === undefined || length > end)
    throw fault;
  const recordOffset = length - tableLength - RECORD_FRAME_BYTES;
  return { file, start: end - length, length, ending: { ...found, frames, recordOffset } };
}

/**
 * Puts volumes in their order, and makes sure that they are parts of one bundle, each once. What
 * lies between them is missing.
 * @throws BundleError BUNDLE_UNUSABLE
 */
export function inOrder(found: readonly FoundVolume[]): readonly FoundVolume[] {
  const ordered = found.toSorted(
    (a, b) => a.record.tarOffset - b.record.tarOffset || a.record.number - b.record.number,
  );
  const [first] = ordered;
  for (const [index, { record, file }] of ordered.entries()) {
    const { number, count, tarOffset, bundleDigest } = record;
    if (Buffer.compare(bundleDigest, first!.record.bundleDigest) !== 0) {
      throw new NotOneBundle(
        `${first!.file.path} and ${file.path} are volumes of different bundles`,
      );
    }
    if ((count === 1) !== (first!.record.count === 1))
      throw wholeAndVolume(first!, ordered[index]!);
    const wrong = unusable(
      `${file.path} says that it is volume ${number} of ${count}, which does not fit the others`,
    );
    if (
      count !== first!.record.count ||
      number < 1 ||
      number > count ||
      (number === 1) !== (tarOffset === 0)
    )
      throw wrong;
    const before = ordered[index - 1]?.record;
    if (before === undefined) continue;
    if (before.number === number) {
      const both = `${ordered[index - 1]!.file.path} and ${file.path}`;
      throw count === 1
        ? new NotOneBundle(`${both} are copies of the same bundle`, 'Name one of them.')
        : new NotOneBundle(`${both} are both volume ${number}`);
    }
    const missing = number - before.number - 1;
    const gap = tarOffset - before.tarOffset - before.tarLength;
    if (missing < 0 || (missing === 0 ? gap !== 0 : gap < missing * TAR_BLOCK)) throw wrong;
  }
  return ordered;
}

/** Nothing of them is damaged: somebody has named the same content twice. */
function wholeAndVolume(...both: readonly [FoundVolume, FoundVolume]): NotOneBundle {
  const [whole, volume] = both[0].record.count === 1 ? both : both.toReversed();
  const { number, count } = volume.record;
  return new NotOneBundle(
    `${whole.file.path} is a whole bundle, and ${volume.file.path} is volume ${number} of ` +
      `${count} of the same bundle`,
    'Name one of them: the whole bundle, or its volumes.',
  );
}

/** The failure of a set that is not whole. */
export function volumesMissing(
  name: string,
  missing: readonly number[],
  count: number,
): BundleError {
  const last = missing.at(-1)!;
  const list =
    missing.length === 1
      ? `volume ${last} is`
      : `volumes ${missing.slice(0, -1).join(', ')} and ${last} are`;
  return unusable(`${name}: ${list} missing; the bundle has ${count} volumes`, {
    hint: 'Name the folders of all volumes.',
  });
}
