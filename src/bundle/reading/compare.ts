import { isDamage, type OnFault } from './fault.ts';
import type { BundleFile } from './file.ts';
import { unusable } from '../format/unusable.ts';

/** Bytes that have to be at a certain place in a file. */
export interface Expected {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** The entries that these bytes belong to, for messages. */
  readonly entries: readonly string[];
}

/** Compares a range of a file with the bytes that have to be there, and reports which differ. */
export async function compare(
  file: BundleFile,
  { offset, bytes: expected, entries }: Expected,
  onFault: OnFault,
): Promise<void> {
  let found: Uint8Array;
  try {
    found = await file.read(offset, expected.length);
  } catch (error) {
    if (!isDamage(error)) throw error;
    onFault({ path: file.path, start: offset, end: offset + expected.length, entries, error });
    return;
  }
  if (Buffer.compare(found, expected) === 0) return;
  const start = offset + found.findIndex((byte, index) => byte !== expected[index]);
  const end = offset + found.findLastIndex((byte, index) => byte !== expected[index]) + 1;
  const places = entries.join(', ');
  const what =
    end - start === 1
      ? `1 byte in ${places} is wrong, at byte ${start}`
      : `${end - start} bytes in ${places} are wrong, from byte ${start} on`;
  const error = unusable(`${what}: ${file.path}`);
  onFault({ path: file.path, start, end, entries, error });
}
