import type { ByteStream } from '../core/bytes.ts';
import { BundleError } from '../core/errors.ts';

/** A place that the makers of a program left in it for a value. */
export interface Marker {
  readonly name: 'release-image' | 'release-version' | 'release-architecture';
  readonly bytes: Uint8Array;
}

/**
 * The markers of `openshift-install` and `oc` (openshift/installer, pkg/asset/releaseimage and
 * pkg/version; openshift/oc, pkg/version): a name between two zero bytes, room, a zero byte. A
 * value is put over the beginning, and a zero byte after it.
 */
export const RELEASE_IMAGE = markerOf('release-image', 'IMAGE', 300);
export const RELEASE_VERSION = markerOf('release-version', 'VERSION', 64);
/** Programs older than 4.17 have no such place. */
export const RELEASE_ARCHITECTURE = markerOf('release-architecture', 'ARCHITECTURE', 64);

function markerOf(name: Marker['name'], word: string, room: number): Marker {
  return { name, bytes: Buffer.from(`\0_RELEASE_${word}_LOCATION_\0${'X'.repeat(room)}\0`) };
}

/** @throws BundleError USAGE for a value that has no room. */
export function checkRoom(marker: Marker, value: string): void {
  const most = marker.bytes.length - 1;
  if (Buffer.byteLength(value) <= most) return;
  throw new BundleError('USAGE', `a program has no room for ${value}`, {
    expected: `${most} bytes at most`,
    got: `${Buffer.byteLength(value)} bytes`,
    hint: 'Use a repository with a shorter name.',
  });
}

/** Markers that are still looked for, with their values; those that were found are taken out. */
export type Values = Map<Marker, string>;

/**
 * A program with values at its markers, the first of each. Its size stays the same. A marker may
 * lie across chunks of any size.
 */
export async function* withValues(content: ByteStream, values: Values): AsyncGenerator<Buffer> {
  let held = Buffer.alloc(0);
  for await (const chunk of content) {
    if (values.size === 0 && held.length === 0) {
      yield Buffer.from(chunk);
      continue;
    }
    held = Buffer.concat([held, chunk]);
    for (const [marker, value] of values) {
      const at = held.indexOf(marker.bytes);
      if (at === -1) continue;
      held.write(`${value}\0`, at);
      values.delete(marker);
    }
    // A marker that has begun may still be completed.
    const kept = Math.max(0, ...[...values.keys()].map(({ bytes }) => bytes.length - 1));
    const done = Math.max(0, held.length - kept);
    if (done > 0) yield held.subarray(0, done);
    held = held.subarray(done);
  }
  if (held.length > 0) yield held;
}
