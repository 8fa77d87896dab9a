/**
 * Tar blocks: headers, padding and file sizes are multiples of this many bytes (POSIX.1-2017, pax,
 * "ustar Interchange Format").
 */
export const TAR_BLOCK = 512;
/** Two zero blocks end a tar. */
export const TAR_END_BYTES = 2 * TAR_BLOCK;
/**
 * The largest size that eleven octal digits hold: 8 GiB - 1. Larger entries say their size in a pax
 * header.
 */
const MAX_USTAR_SIZE = 0o77777777777;

/** Length of the headers before the content of an entry, in bytes. */
export function headerLength(size: number): number {
  return size > MAX_USTAR_SIZE ? 3 * TAR_BLOCK : TAR_BLOCK;
}

/** Zero bytes after `size` bytes of content. */
export function paddingLength(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/** Length of an entry in the tar, in bytes: header, content and padding. */
export function entryLength(size: number): number {
  return headerLength(size) + size + paddingLength(size);
}

/** What a header says beside path, size and time. */
interface HeaderOptions {
  /** File, hard link, folder, or a record for the next entry. */
  readonly type: '0' | '1' | '5' | 'x';
  /** Seven octal digits. */
  readonly mode?: string;
  /** Seven octal digits. */
  readonly uid?: string;
  readonly gid?: string;
  /** The folders of a path that is divided. */
  readonly prefix?: string;
  /** The entry that a hard link shares. */
  readonly target?: string;
}

/**
 * The header of a regular file, every byte fixed: mode 0644, user and group 0, no names.
 * An entry over 8 GiB has a pax header with `size=` alone before it, and 0 in the ustar field.
 *
 * @param path ASCII, at most 99 bytes.
 * @param mtime seconds since 1970.
 */
export function tarHeader(path: string, size: number, mtime: number): Uint8Array {
  if (size <= MAX_USTAR_SIZE) return ustar(path, size, mtime, { type: '0' });
  const record = Buffer.alloc(TAR_BLOCK);
  const length = record.write(paxRecord('size', String(size)));
  return Buffer.concat([
    ustar('PaxHeader', length, mtime, { type: 'x' }),
    record,
    ustar(path, 0, mtime, { type: '0' }),
  ]);
}

/** The header of a file that can be run, below 8 GiB: mode 0755. */
export function programHeader(path: string, size: number, mtime: number): Uint8Array {
  return ustar(path, size, mtime, { type: '0', mode: '0000755' });
}

/** A second name for an entry that came before: a hard link, of mode 0755. */
export function hardLinkHeader(path: string, target: string, mtime: number): Uint8Array {
  return ustar(path, 0, mtime, { type: '1', mode: '0000755', target });
}

/** A path in the two pieces that a header has for it. */
export interface DividedPath {
  /** ASCII, at most 100 bytes. */
  readonly name: string;
  /** The folders in front of the name: ASCII, at most 155 bytes, without a slash at the end. */
  readonly prefix: string;
}

/** Who may do what in a folder, and whose it is. */
export interface FolderMode {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The header of a file (`0`) or of a folder (`5`), below 8 GiB and of the time 0. */
export function dividedHeader(
  { name, prefix }: DividedPath,
  size: number,
  type: '0' | '5',
  { mode = type === '5' ? 0o755 : 0o644, uid = 0, gid = 0 }: Partial<FolderMode> = {},
): Uint8Array {
  const owner = { uid: uid.toString(8).padStart(7, '0'), gid: gid.toString(8).padStart(7, '0') };
  return header(name, size, 0, { type, mode: mode.toString(8).padStart(7, '0'), prefix, ...owner });
}

function ustar(path: string, size: number, mtime: number, options: HeaderOptions): Uint8Array {
  if (!/^[\x21-\x7e]{1,99}$/.test(path)) throw new RangeError(`not a tar path: ${path}`);
  return header(path, size, mtime, options);
}

function header(name: string, size: number, mtime: number, options: HeaderOptions): Uint8Array {
  const { type, mode = '0000644', prefix = '', target = '' } = options;
  const { uid = '0000000', gid = '0000000' } = options;
  const block = Buffer.alloc(TAR_BLOCK);
  block.write(name, 0, 100, 'ascii');
  block.write(`${mode}\0`, 100, 'ascii');
  block.write(`${uid}\0`, 108, 'ascii');
  block.write(`${gid}\0`, 116, 'ascii');
  block.write(`${octal(size)}\0`, 124, 'ascii');
  block.write(`${octal(mtime)}\0`, 136, 'ascii');
  block.write('        ', 148, 'ascii'); // the checksum counts its own field as spaces
  block.write(type, 156, 'ascii');
  block.write(target, 157, 99, 'ascii');
  block.write('ustar\0', 257, 'ascii');
  block.write('00', 263, 'ascii');
  block.write('0000000\0', 329, 'ascii');
  block.write('0000000\0', 337, 'ascii');
  block.write(prefix, 345, 155, 'ascii');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return block;
}

function octal(value: number): string {
  const text = value.toString(8);
  if (!Number.isSafeInteger(value) || value < 0 || text.length > 11)
    throw new RangeError(`does not fit a tar header: ${value}`);
  return text.padStart(11, '0');
}

/** `<length> key=value\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length)
    length = String(length).length + rest.length;
  return `${length}${rest}`;
}

/**
 * Size and time as a header claims them: to compute the header that should be there, and compare.
 */
export function claimedSizeAndTime(
  header: Uint8Array,
): { size: number; mtime: number } | undefined {
  const text = Buffer.from(header.buffer, header.byteOffset, header.byteLength).toString('latin1');
  const size = /^[0-7]{11}$/.exec(text.slice(124, 135))?.[0];
  const mtime = /^[0-7]{11}$/.exec(text.slice(136, 147))?.[0];
  return size === undefined || mtime === undefined
    ? undefined
    : { size: parseInt(size, 8), mtime: parseInt(mtime, 8) };
}
