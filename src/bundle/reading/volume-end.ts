import { compare } from './compare.ts';
import type { OnFault } from './fault.ts';
import type { VolumeSource } from './file.ts';
import { storedFrame } from '../format/frames.ts';
import {
  copiesIn,
  formatTail,
  type Head,
  RECORD_FRAME_BYTES,
  type VolumeRecord,
} from '../format/tail.ts';
import { TAR_END_BYTES } from '../format/tar.ts';
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
