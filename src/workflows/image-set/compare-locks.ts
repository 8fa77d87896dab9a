import { compareLocks, type LockComparison } from '../../packing/lock/compare.ts';
import { readLock } from '../../packing/lock/read.ts';

/** Two locks, and what the newer one brings. */
export interface ComparedLocks {
  readonly before: string;
  readonly after: string;
  readonly comparison: LockComparison;
}

/** Fetches nothing. @throws BundleError CONFIGURATION for what is no lock; NOT_FOUND, DISK */
export async function comparedLocks(before: string, after: string): Promise<ComparedLocks> {
  const [old, now] = [await readLock(before), await readLock(after)];
  return { before, after, comparison: compareLocks(old, now) };
}
