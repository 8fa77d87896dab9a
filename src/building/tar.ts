import {
  dividedHeader,
  entryLength,
  type FolderMode,
  paddingLength,
  TAR_END_BYTES,
} from '../bundle/format/tar.ts';
import type { ByteStream } from '../core/bytes.ts';

/** A name, and the folders in front of it, take so many bytes at most. */
const MAX_NAME = 100;
const MAX_PREFIX = 155;

/** Of a folder, `bytes` is left out. */
export interface TarEntry {
  /** ASCII, with slashes between the names and none at the ends. */
  readonly path: string;
  readonly bytes?: Uint8Array;
  /** Of a folder that is not 0755 and of user 0. */
  readonly folder?: FolderMode;
}

/** A file that is too large for memory. Its content has `size` bytes. */
export interface TarFile {
  readonly path: string;
  readonly size: number;
  readonly read: () => ByteStream;
}

/** The length of {@link streamTar}. */
export function tarLength(entries: readonly (TarEntry | TarFile)[]): number {
  const lengths = entries.map((entry) =>
    'read' in entry ? entryLength(entry.size) : entryLength(entry.bytes?.length ?? 0),
  );
  return lengths.reduce((sum, length) => sum + length, TAR_END_BYTES);
}

/**
 * The bytes of {@link plainTar}, piece by piece. A piece is good until the next one is asked for.
 * @throws RangeError for a path that a plain header cannot have; what reading a file throws.
 */
export async function* streamTar(
  entries: readonly (TarEntry | TarFile)[],
): AsyncGenerator<Uint8Array> {
  for (const entry of entries) {
    if (!('read' in entry)) {
      yield* blocksOf(entry);
      continue;
    }
    const { path, size, read } = entry;
    yield dividedHeader(split(path), size, '0');
    yield* read();
    yield new Uint8Array(paddingLength(size));
  }
  yield new Uint8Array(TAR_END_BYTES);
}

/**
 * A tar of small files in which nothing but their names and bytes makes a difference: it has the
 * modes 0644 and 0755, user and group 0 without names, and the time 0. The entries keep their order.
 * @throws RangeError for a path that a plain header cannot have.
 */
export function plainTar(entries: readonly TarEntry[]): Uint8Array {
  return Buffer.concat([...entries.flatMap(blocksOf), new Uint8Array(TAR_END_BYTES)]);
}

function blocksOf({ path, bytes, folder }: TarEntry): readonly Uint8Array[] {
  if (bytes === undefined) return [dividedHeader(split(`${path}/`), 0, '5', folder)];
  const size = bytes.length;
  return [dividedHeader(split(path), size, '0'), bytes, new Uint8Array(paddingLength(size))];
}

/** The longest name that is possible stays with the file: the first slash that leaves it divides. */
function split(path: string): { readonly name: string; readonly prefix: string } {
  if (!/^[\x20-\x7e]+$/.test(path)) throw new RangeError(`not a path of a plain tar: ${path}`);
  if (path.length <= MAX_NAME) return { name: path, prefix: '' };
  const slash = path.indexOf('/', path.length - MAX_NAME - 1);
  const isPossible = slash > 0 && slash <= MAX_PREFIX && slash < path.length - 1;
  if (!isPossible) throw new RangeError(`not a path of a plain tar: ${path}`);
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) };
}
