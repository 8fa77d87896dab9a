import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

import { BundleError } from '../../core/errors.ts';
import { fromBase45, toBase32, toBase45 } from './alphabets.ts';

/** Bytes of a receipt that one QR code carries at most: `qr.ts` says what was measured. */
const CODE_BYTES = 160;
const ID_BYTES = 5;
const CRC_BYTES = 4;
const LENGTH_BYTES = 2;
const MAX_CODES = 99;
/** Name and number of the form, id of the receipt, number of the code, how many are needed. */
const CODE = /^BR1\/([0-9A-HJKMNP-TV-Z]{8})\/(\d{1,2})\/(\d{1,2})\/(.+)$/s;

/** A text of a QR code that belongs to a receipt. */
interface ReadCode {
  readonly id: string;
  /** From 1; 0 for the one that stands in for any of the others. */
  readonly number: number;
  readonly count: number;
  readonly chunk: Uint8Array;
}

/** What a receipt on paper is known by: of its bytes. */
export function paperId(compact: Uint8Array): string {
  return toBase32(idBytes(compact));
}

export function idBytes(compact: Uint8Array): Uint8Array {
  return createHash('sha256').update(compact).digest().subarray(0, ID_BYTES);
}

/**
 * The texts of the QR codes of a receipt: one for each piece of it, and one more that stands in for
 * any of them (all of them, exclusive-ored). Each has a checksum.
 * @throws BundleError USAGE for a receipt that is too long
 */
export function codesOf(compact: Uint8Array): readonly string[] {
  const count = Math.ceil((LENGTH_BYTES + compact.length) / CODE_BYTES);
  if (count > MAX_CODES) {
    throw new BundleError('USAGE', `the receipt is too long for paper: it needs ${count} codes`, {
      expected: `${MAX_CODES} codes at most`,
      hint: 'Carry the file, or make a receipt that names fewer bundles.',
    });
  }
  const size = Math.ceil((LENGTH_BYTES + compact.length) / count);
  const whole = Buffer.alloc(size * count);
  whole.writeUInt16BE(compact.length, 0);
  whole.set(compact, LENGTH_BYTES);
  const chunks = Array.from({ length: count }, (_, at) =>
    whole.subarray(at * size, (at + 1) * size),
  );
  const id = paperId(compact);
  return [...chunks, sumOf(chunks)].map((chunk, at) => {
    const crc = Buffer.alloc(CRC_BYTES);
    crc.writeUInt32BE(crc32(chunk));
    const number = at === count ? 0 : at + 1;
    return `BR1/${id}/${number}/${count}/${toBase45(Buffer.concat([chunk, crc]))}`;
  });
}

function sumOf(chunks: readonly Uint8Array[]): Uint8Array {
  const sum = Buffer.alloc(chunks[0]!.length);
  for (const chunk of chunks) chunk.forEach((byte, at) => (sum[at] = sum[at]! ^ byte));
  return sum;
}

/** Reads the text of a code; `undefined` for one of something else, or one that was misread. */
function readCode(text: string): ReadCode | undefined {
  const [, id, number, count, body] = CODE.exec(text) ?? [];
  if (id === undefined || body === undefined) return undefined;
  const bytes = fromBase45(body);
  if (bytes === undefined || bytes.length <= CRC_BYTES) return undefined;
  const view = Buffer.from(bytes);
  const chunk = view.subarray(0, -CRC_BYTES);
  if (crc32(chunk) !== view.readUInt32BE(chunk.length)) return undefined;
  if (Number(count) === 0 || Number(number) > Number(count)) return undefined;
  return { id, number: Number(number), count: Number(count), chunk };
}

/** Whether a text claims to be a code of a receipt. */
export function looksLikeCode(text: string): boolean {
  return text.startsWith('BR1/');
}

/**
 * Puts the receipts together that codes are of, in any order, doubled or not.
 * @returns the compact forms, in the order in which their first codes came.
 * @throws BundleError NOT_FOUND telling which codes are missing
 */
export function joinCodes(texts: readonly string[]): readonly Uint8Array[] {
  const receipts = new Map<string, Map<number, ReadCode>>();
  for (const text of texts) {
    const code = readCode(text);
    if (code === undefined) continue;
    const key = `${code.id} ${code.count} ${code.chunk.length}`;
    const known = receipts.get(key) ?? new Map<number, ReadCode>();
    known.set(code.number, code);
    receipts.set(key, known);
  }
  if (receipts.size === 0) {
    throw new BundleError('NOT_FOUND', 'no code of a receipt was found', {
      hint:
        'Photograph the paper from above, in even light, so that each code fills a good part of ' +
        'the picture: several pictures may be given. Or type the lines: bundle receipt enter.',
    });
  }
  return [...receipts.values()].map(joined);
}

function joined(codes: ReadonlyMap<number, ReadCode>): Uint8Array {
  const [{ id, count, chunk: any }] = [...codes.values()] as [ReadCode];
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  const missing = numbers.filter((number) => !codes.has(number));
  const spare = codes.get(0);
  if (missing.length > (spare === undefined ? 0 : 1)) throw incomplete(id, count, missing, spare);
  const chunks = numbers.map((number) => codes.get(number)?.chunk);
  const rest = chunks.filter((chunk) => chunk !== undefined);
  const whole = Buffer.concat(
    chunks.map((chunk) => chunk ?? sumOf([...rest, spare?.chunk ?? Buffer.alloc(any.length)])),
  );
  const end = LENGTH_BYTES + whole.readUInt16BE(0);
  const compact = whole.subarray(LENGTH_BYTES, end);
  if (end <= whole.length && paperId(compact) === id) return compact;
  throw new BundleError('CONTENT_MISMATCH', `the codes of the receipt ${id} do not make it up`, {
    expected: id,
    got: paperId(compact),
    hint: 'One of them may be of another paper: scan the codes of this one alone.',
  });
}

function incomplete(
  id: string,
  count: number,
  missing: readonly number[],
  spare: ReadCode | undefined,
): BundleError {
  const names = missing.map(String).join(', ');
  const words = missing.length === 1 ? `code ${names} is` : `codes ${names} are`;
  return new BundleError('NOT_FOUND', `${words} missing of the ${count} of the receipt ${id}`, {
    expected:
      spare === undefined
        ? 'all of them; the spare one stands in for any one'
        : 'all but one of them',
    hint:
      'Photograph them again, nearer and in even light, and give those pictures too' +
      (spare === undefined ? ', or that of the code that is marked "spare" for one of them.' : '.'),
  });
}
