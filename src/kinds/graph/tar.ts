/** Headers, padding and sizes of a tar are multiples of this many bytes (POSIX.1-2017, pax). */
const BLOCK = 512;
/** A name, and the folders in front of it, take so many bytes at most. */
const MAX_NAME = 100;
const MAX_PREFIX = 155;

/** Of a folder, `bytes` is left out. */
export interface TarEntry {
  readonly path: string;
  readonly bytes?: Uint8Array;
}

/**
 * A tar of small files in which nothing but their names and bytes makes a difference: it has the
 * modes 0644 and 0755, user and group 0 without names, and the time 0.
 * @throws RangeError for a path that a plain header cannot have.
 */
export function plainTar(entries: readonly TarEntry[]): Uint8Array {
  const blocks = entries.flatMap(({ path, bytes }): Uint8Array[] => {
    const size = bytes?.length ?? 0;
    const padding = new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
    return [header(path, bytes === undefined, size), bytes ?? new Uint8Array(0), padding];
  });
  return Buffer.concat([...blocks, new Uint8Array(2 * BLOCK)]);
}

function header(path: string, isFolder: boolean, size: number): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const { name, prefix } = split(isFolder ? `${path}/` : path);
  block.write(name, 0, 'ascii');
  block.write(`${octal(isFolder ? 0o755 : 0o644, 7)}\0`, 100, 'ascii');
  block.write(`${octal(0, 7)}\0`, 108, 'ascii');
  block.write(`${octal(0, 7)}\0`, 116, 'ascii');
  block.write(`${octal(size, 11)}\0`, 124, 'ascii');
  block.write(`${octal(0, 11)}\0`, 136, 'ascii');
  block.write('        ', 148, 'ascii'); // the checksum counts its own field as spaces
  block.write(isFolder ? '5' : '0', 156, 'ascii');
  block.write('ustar\0' + '00', 257, 'ascii');
  block.write(`${octal(0, 7)}\0`, 329, 'ascii');
  block.write(`${octal(0, 7)}\0`, 337, 'ascii');
  block.write(prefix, 345, 'ascii');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148, 'ascii');
  return block;
}

/** The longest name that is possible stays with the file: the first slash that leaves it divides. */
function split(path: string): { readonly name: string; readonly prefix: string } {
  if (path.length <= MAX_NAME) return { name: path, prefix: '' };
  const slash = path.indexOf('/', path.length - MAX_NAME - 1);
  const isPossible = slash > 0 && slash <= MAX_PREFIX && slash < path.length - 1;
  if (!isPossible) throw new RangeError(`not a path of a plain tar: ${path}`);
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) };
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
