export interface TarEntry {
  readonly name: string;
  readonly type: 'file' | 'directory';
  readonly size: number;
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly content: Iterable<Uint8Array>;
}

const BLOCK = 512;

/**
 * A POSIX tar (ustar) that depends on its entries alone: owner 0, no names of users, two empty
 * blocks at the end.
 */
export function* tarOf(entries: Iterable<TarEntry>): Generator<Uint8Array> {
  for (const entry of entries) {
    yield header(entry);
    yield* entry.content;
    yield Buffer.alloc(padding(entry.size));
  }
  yield Buffer.alloc(2 * BLOCK);
}

/** How many bytes a tar takes of which the entries have the given sizes. */
export function tarSize(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + BLOCK + size + padding(size), 2 * BLOCK);
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function header({ name, type, size, mode, mtime }: TarEntry): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const [prefix, rest] = splitName(name);
  block.write(rest, 0, 100);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(mtime, 11), 136);
  block.write(' '.repeat(8), 148);
  block.write(type === 'file' ? '0' : '5', 156);
  block.write('ustar', 257);
  block.write('00', 263);
  block.write(prefix, 345, 155);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

/**
 * A name over 100 bytes goes into two fields, cut at a slash. @throws RangeError when that is not
 * enough.
 */
function splitName(name: string): [string, string] {
  if (Buffer.byteLength(name) <= 100) return ['', name];
  const slash = name.indexOf('/', name.length - 101);
  if (slash < 1 || slash > 155) throw new RangeError(`too long for a tar header: ${name}`);
  return [name.slice(0, slash), name.slice(slash + 1)];
}

function octal(value: number, digits: number): string {
  const text = value.toString(8).padStart(digits, '0');
  if (text.length > digits) throw new RangeError(`too large for a tar header: ${value}`);
  return text;
}
