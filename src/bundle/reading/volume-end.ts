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

/**
 * Compares what stands behind the layers of a volume with what has to stand there. @param record as
 * it has to be.
 */
export async function checkEnd(
  { file, start }: VolumeSource,
  record: VolumeRecord,
  layout: VolumeLayout,
  uncut: Uncut,
  head: Head,
  onFault: OnFault,
): Promise<void> {
  const expect = (offset: number, expected: Uint8Array, entry: string): Promise<void> =>
    compare(file, start + offset, expected, [entry], onFault);
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
