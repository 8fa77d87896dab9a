import { dividedHeader, paddingLength, TAR_END_BYTES } from '../bundle/format/tar.ts';

/** A name, and the folders in front of it, take so many bytes at most. */
const MAX_NAME = 100;
const MAX_PREFIX = 155;

/** Of a folder, `bytes` is left out. */
export interface TarEntry {
  /** ASCII, with slashes between the names and none at the ends. */
  readonly path: string;
  readonly bytes?: Uint8Array;
}

/**
 * A tar of small files in which nothing but their names and bytes makes a difference: it has the
 * modes 0644 and 0755, user and group 0 without names, and the time 0. The entries keep their order.
 * @throws RangeError for a path that a plain header cannot have.
 */
export function plainTar(entries: readonly TarEntry[]): Uint8Array {
  const blocks = entries.flatMap(({ path, bytes }): Uint8Array[] => {
    if (bytes === undefined) return [dividedHeader(split(`${path}/`), 0, '5')];
    const size = bytes.length;
    return [dividedHeader(split(path), size, '0'), bytes, new Uint8Array(paddingLength(size))];
  });
  return Buffer.concat([...blocks, new Uint8Array(TAR_END_BYTES)]);
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
