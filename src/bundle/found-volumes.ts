import type { BundleError } from '../core/errors.ts';
import { MAX_LISTING_BYTES } from '../core/limits.ts';
import type { BundleFile, VolumeSource } from './file.ts';
import { readSeekTable, SEEK_FOOTER_BYTES, seekTableLength, seekTableRows } from './frames.ts';
import { readRecord, RECORD_FRAME_BYTES, type VolumeRecord } from './tail.ts';
import { TAR_BLOCK } from './tar.ts';
import { unusable } from './unusable.ts';
import { MAX_VOLUMES } from './volumes.ts';

/** A volume, as far as its own last bytes tell: nothing of it has been checked. */
export interface FoundVolume extends VolumeSource {
  /** Bytes. */
  readonly length: number;
  readonly record: VolumeRecord;
}

/**
 * The volumes that a file consists of, in its order: mostly one. Each says in its last bytes where it begins, so that the
 * way goes from the end to the start.
 * @throws BundleError BUNDLE_UNUSABLE for a file that does not end, or begin, with a volume.
 */
export async function volumesIn(file: BundleFile): Promise<readonly FoundVolume[]> {
  const found: FoundVolume[] = [];
  for (let end = file.size; end > 0 || found.length === 0; end = found[0]!.start) {
    if (found.length === MAX_VOLUMES) throw unusable(`${file.path} consists of more than ${MAX_VOLUMES} volumes`);
    found.unshift(await volumeBefore(file, end));
  }
  return found;
}

async function volumeBefore(file: BundleFile, end: number): Promise<FoundVolume> {
  const where = end === file.size ? 'at its end' : `at byte ${end}`;
  const fault = unusable(`${file.path} does not end as a bundle does ${where}: it is cut off, changed, or no bundle at all`);
  if (end < SEEK_FOOTER_BYTES) throw fault;
  const rows = seekTableRows(await file.read(end - SEEK_FOOTER_BYTES, SEEK_FOOTER_BYTES));
  if (rows === undefined) throw fault;
  const tableLength = seekTableLength(rows);
  if (tableLength > MAX_LISTING_BYTES || tableLength + RECORD_FRAME_BYTES > end) throw fault;
  const ending = await file.read(end - tableLength - RECORD_FRAME_BYTES, RECORD_FRAME_BYTES + tableLength);
  const table = readSeekTable(ending.subarray(RECORD_FRAME_BYTES));
  const found = readRecord(ending.subarray(0, RECORD_FRAME_BYTES));
  const length = table?.reduce((total, row) => total + row.length, tableLength);
  if (found === undefined || length === undefined || length > end) throw fault;
  return { file, start: end - length, length, record: found.record };
}

/**
 * Puts volumes in their order, and makes sure that they are parts of one bundle, each once. What lies between them is
 * missing.
 * @throws BundleError BUNDLE_UNUSABLE
 */
export function inOrder(found: readonly FoundVolume[]): readonly FoundVolume[] {
  const ordered = found.toSorted((a, b) => a.record.tarOffset - b.record.tarOffset || a.record.number - b.record.number);
  const [first] = ordered;
  for (const [index, { record, file }] of ordered.entries()) {
    const { number, count, tarOffset, bundleDigest } = record;
    if (Buffer.compare(bundleDigest, first!.record.bundleDigest) !== 0) {
      throw unusable(`${first!.file.path} and ${file.path} are volumes of two bundles`, { hint: 'Name the volumes of one bundle only.' });
    }
    const wrong = unusable(`${file.path} says that it is volume ${number} of ${count}, which does not fit the others`);
    if (count !== first!.record.count || number < 1 || number > count || (number === 1) !== (tarOffset === 0)) throw wrong;
    const before = ordered[index - 1]?.record;
    if (before === undefined) continue;
    if (before.number === number) {
      throw unusable(`${ordered[index - 1]!.file.path} and ${file.path} are both volume ${number}`, { hint: 'Name each volume once.' });
    }
    const missing = number - before.number - 1;
    const gap = tarOffset - before.tarOffset - before.tarLength;
    if (missing < 0 || (missing === 0 ? gap !== 0 : gap < missing * TAR_BLOCK)) throw wrong;
  }
  return ordered;
}

/** The failure of a set that is not whole. */
export function volumesMissing(name: string, missing: readonly number[], count: number): BundleError {
  const list = missing.length === 1 ? `volume ${missing[0]!} is` : `volumes ${missing.join(', ')} are`;
  return unusable(`${name}: ${list} missing, of ${count}`, {
    hint: 'Name the folders of all volumes; bundle inspect says what the missing ones hold.',
  });
}
