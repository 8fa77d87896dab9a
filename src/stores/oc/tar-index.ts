import { utf8 } from '../../core/bytes.ts';
import { BundleError } from '../../core/errors.ts';
import type { WindowedFile } from '../../files/piece.ts';

const BLOCK = 512;
/** The name of an entry, and other facts about it, of real archives take some hundred bytes. */
const MAX_EXTENSION_BYTES = 32 * 1024;

/** Zeros at the end: tar fills a record of at most 512 blocks with them; most write two blocks. */
const MAX_END_BYTES = 1024 * 1024;

/** A file in a tar: where its content is. */
export interface TarFile {
  readonly name: string;
  /** Where in the archive its content begins. */
  readonly start: number;
  readonly size: number;
}

/** One block that says what follows it. */
interface Header {
  readonly name: string;
  readonly size: number;
  readonly type: string;
}

/**
 * The files in a tar (POSIX pax, GNU), by their headers alone: of their content nothing is read, so
 * that an archive of any size takes a moment. Names are only compared, never used as paths; links,
 * folders and devices are passed over.
 * @throws BundleError CONTENT_MISMATCH for an archive that is damaged or cut off, at the end of an
 * entry too; DISK.
 */
export async function* filesInTar(archive: WindowedFile): AsyncGenerator<TarFile> {
  let at = 0;
  let name: string | undefined;
  let size: number | undefined;
  for (;;) {
    const header = await headerAt(archive, at);
    if (header === undefined) return;
    const start = at + BLOCK;
    const length = size ?? header.size;
    at = start + Math.ceil(length / BLOCK) * BLOCK;
    const called = name ?? header.name;
    if (at > archive.size) throw cutOff(archive, `in the middle of ${called}`);
    switch (header.type) {
      case 'x': {
        const records = paxRecords(await extension(archive, start, length));
        name = records.get('path') ?? name;
        size = sizeIn(records.get('size'), archive, start) ?? size;
        continue;
      }
      case 'L':
        name = utf8(await extension(archive, start, length)).replace(/\0.*$/s, '');
        continue;
      case 'g': // for all entries: writers put comments there
      case 'K': // the target of a link
        continue;
      case '0':
      case '\0':
      case '7':
        yield { name: called, start, size: length };
    }
    name = undefined;
    size = undefined;
  }
}

/** @returns `undefined` at the end of the archive. */
async function headerAt(archive: WindowedFile, at: number): Promise<Header | undefined> {
  const block = await archive.read(at, BLOCK);
  if (block.length === 0) throw cutOff(archive, 'at the end of an entry');
  if (block.length < BLOCK) throw cutOff(archive, 'in the middle of a header');
  if (isZero(block)) {
    if (await isZeroToEnd(archive, at)) return undefined;
    throw noHeader(archive, at, block);
  }
  if (numberIn(block.subarray(148, 156)) !== checksumOf(block)) throw noHeader(archive, at, block);
  const size = numberIn(block.subarray(124, 136));
  if (size === undefined) throw noHeader(archive, at, block);
  const prefix =
    textIn(block.subarray(257, 263)) === 'ustar' ? textIn(block.subarray(345, 500)) : '';
  const own = textIn(block.subarray(0, 100));
  const name = prefix === '' ? own : `${prefix}/${own}`;
  return { name, size, type: String.fromCharCode(block[156]!) };
}

/**
 * Zeros up to the end are the mark of it. Zeros with something behind them are a piece that was
 * lost, and so are more of them than any program writes there.
 */
async function isZeroToEnd(archive: WindowedFile, at: number): Promise<boolean> {
  if (archive.size - at > MAX_END_BYTES) return false;
  for (let next = at; next < archive.size; next += BLOCK)
    if (!isZero(await archive.read(next, BLOCK))) return false;
  return true;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** POSIX.1-2017, pax, "ustar Interchange Format": the sum of all bytes, its own being spaces. */
function checksumOf(block: Uint8Array): number {
  return block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}

/** A number in octal digits, or in the binary form that GNU tar has for large ones. */
function numberIn(field: Uint8Array): number | undefined {
  if (field[0] === 0x80) {
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const digits = textIn(field).trim();
  return /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : undefined;
}

/** Up to the first zero byte. */
function textIn(field: Uint8Array): string {
  const end = field.indexOf(0);
  return utf8(end === -1 ? field : field.subarray(0, end));
}

async function extension(archive: WindowedFile, at: number, length: number): Promise<Uint8Array> {
  if (length <= MAX_EXTENSION_BYTES) return Uint8Array.from(await archive.read(at, length));
  throw new BundleError(
    'UNSUPPORTED_CONTENT',
    `${archive.path} has a header of ${length} bytes at byte ${at}`,
    { hint: 'No archive of oc-mirror has one of that size: do not use it.' },
  );
}

/** `<length> key=value\n`, one after the other; the length counts all of it. */
function paxRecords(bytes: Uint8Array): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const digits = /^([1-9][0-9]{0,5}) /.exec(utf8(bytes.subarray(at, at + 7)))?.[1];
    if (digits === undefined) break;
    const record = utf8(bytes.subarray(at + digits.length + 1, at + Number(digits) - 1));
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += Number(digits);
  }
  return records;
}

function sizeIn(text: string | undefined, archive: WindowedFile, at: number): number | undefined {
  if (text === undefined) return undefined;
  const size = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(size)) return size;
  throw new BundleError('CONTENT_MISMATCH', `${archive.path} is damaged at byte ${at}`, {
    expected: 'a size',
    hint: COPY_AGAIN,
  });
}

const COPY_AGAIN = 'Copy the archive again from where oc-mirror has written it.';

function noHeader(archive: WindowedFile, at: number, block: Uint8Array): BundleError {
  const isCompressed = at === 0 && ((block[0] === 0x1f && block[1] === 0x8b) || block[0] === 0x28);
  return new BundleError(
    'CONTENT_MISMATCH',
    `${archive.path} ${at === 0 ? 'is no tar' : `is damaged: no entry begins at byte ${at}`}`,
    {
      expected: 'the header of an entry',
      hint: isCompressed ? 'It is compressed: decompress it first.' : COPY_AGAIN,
    },
  );
}

function cutOff(archive: WindowedFile, where: string): BundleError {
  return new BundleError('CONTENT_MISMATCH', `${archive.path} is cut off ${where}`, {
    expected: 'the mark of its end',
    got: `${archive.size} bytes`,
    hint: COPY_AGAIN,
  });
}
