import { formatBytes, leavesText } from '../../core/text.ts';
import { compare } from './compare.ts';
import { type Fault, type OnFault, VOLUME_END } from './fault.ts';
import type { VolumeSource } from './file.ts';
import type { FoundVolume } from './found-volumes.ts';
import { storedFrame } from '../format/frames.ts';
import type { LayerPlace } from '../format/layer.ts';
import { storedSectionLength } from '../format/layout.ts';
import {
  copiesIn,
  formatTail,
  type Head,
  RECORD_FRAME_BYTES,
  type VolumeRecord,
} from '../format/tail.ts';
import { TAR_END_BYTES } from '../format/tar.ts';
import { unusable } from '../format/unusable.ts';
import { frameExtents, type Uncut, type VolumeLayout } from '../format/volumes.ts';

/** A volume as it has to be. */
export interface ExpectedVolume {
  readonly record: VolumeRecord;
  readonly layout: VolumeLayout;
  readonly uncut: Uncut;
  readonly head: Head;
}

/** Compares what stands behind the layers of a volume with what has to stand there. */
export async function checkEnd(
  { file, start }: VolumeSource,
  { record, layout, uncut, head }: ExpectedVolume,
  onFault: OnFault,
): Promise<void> {
  const expect = (offset: number, bytes: Uint8Array, entry: string): Promise<void> =>
    compare(file, { offset: start + offset, bytes, entries: [entry] }, onFault);
  const end = storedFrame(Buffer.alloc(TAR_END_BYTES));
  if (record.number === record.count)
    await expect(layout.tailOffset - end.length, end, 'the end of the tar');
  const tail = formatTail(record, head, frameExtents(layout, uncut.metadata));
  const copyLength = copiesIn(record).trailing ? uncut.copyLength : 0;
  const parts = {
    'the copy of the head at the end': copyLength,
    'the record': RECORD_FRAME_BYTES,
    'the seek table': tail.length,
  };
  let at = 0;
  for (const [name, partLength] of Object.entries(parts)) {
    const part = tail.subarray(at, at + partLength);
    await expect(layout.tailOffset + at, part, name);
    at += part.length;
  }
}

/**
 * The fault of a volume that is shorter or longer than its content takes. Of one that is cut off it
 * names every config and layer that is not there whole.
 * @param planned bytes that it has to have.
 */
export function wrongSize(
  volume: FoundVolume,
  planned: number,
  layers: readonly LayerPlace[],
): Fault {
  const { file, start, length } = volume;
  if (length > planned) {
    const facts = { expected: `${planned} bytes`, got: `${length} bytes` };
    const tooLong = `${file.path} is ${length - planned} bytes too long for its content`;
    return {
      ...{ path: file.path, start: start + planned, end: start + length, entries: [VOLUME_END] },
      error: unusable(tooLong, facts),
    };
  }
  const lost = layers.filter(({ portions }) =>
    portions.some(
      (portion) =>
        portion.volume === volume.record.number - 1 &&
        portion.offset + storedSectionLength(portion.length) > length,
    ),
  );
  const missing = lost.length === 0 ? 'no config or layer is missing' : missingText(lost);
  const entries = [VOLUME_END, ...lost.map(({ path }) => path)];
  return {
    ...{ path: file.path, start: start + length, end: start + planned, entries },
    error: unusable(
      `${file.path} ends at byte ${start + length} of ${start + planned}; ${missing}`,
    ),
  };
}

/** `2 configs and layers (1.50 MB) are missing`. */
export function missingText(lost: readonly { readonly size: number }[]): string {
  const bytes = lost.reduce((total, { size }) => total + size, 0);
  const verb = lost.length === 1 ? 'is' : 'are';
  return `${leavesText(lost.length)} (${formatBytes(bytes)}) ${verb} missing`;
}
