import { crc32 } from 'node:zlib';

import { BundleError } from '../../core/errors.ts';
import { fromBase32, toBase32, typed } from './alphabets.ts';
import { idBytes } from './codes.ts';

const LINE_BYTES = 20;
const HEADER_BYTES = 8;
const FORM = 1;
const MAX_LINES = 99;
/** Twenty bits: one mistake in a line is always found, a wild one but once in a million. */
const CHECK_CHARACTERS = 4;
const GROUP = 4;

/**
 * A receipt as lines that people type: the number of the line, its bytes in Crockford's base32, and
 * four check characters. The first line says how many there are.
 * @returns `undefined` for a receipt that is too long to be typed
 */
export function linesOf(compact: Uint8Array): readonly string[] | undefined {
  const count = Math.ceil(compact.length / LINE_BYTES);
  if (count > MAX_LINES) return undefined;
  const id = idBytes(compact);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(FORM, 0);
  header.writeUInt16BE(compact.length, 1);
  header.set(id, 3);
  const lines = [lineOf(0, header, new Uint8Array(0))];
  for (let number = 1; number <= count; number += 1) {
    const bytes = compact.subarray((number - 1) * LINE_BYTES, number * LINE_BYTES);
    lines.push(lineOf(number, bytes, id));
  }
  return lines;
}

function lineOf(number: number, bytes: Uint8Array, id: Uint8Array): string {
  const text = toBase32(bytes) + checkOf(number, bytes, id);
  const groups = text.match(new RegExp(`.{1,${GROUP}}`, 'g'))!;
  return `${String(number).padStart(2, '0')}  ${groups.join(' ')}`;
}

function checkOf(number: number, bytes: Uint8Array, id: Uint8Array): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(Buffer.concat([Buffer.of(number), id, bytes])));
  return toBase32(sum).slice(0, CHECK_CHARACTERS);
}

/** Takes lines in any order, and says of each at once whether it is right. */
export class TypedLines {
  readonly #lines = new Map<number, Uint8Array>();
  #id: Uint8Array | undefined;
  #length = 0;

  /** The number of the line that comes next; `undefined` when all are there. */
  get next(): number | undefined {
    return this.missing[0];
  }

  /** Numbers of the lines that are not there yet. */
  get missing(): readonly number[] {
    if (this.#id === undefined) return [0];
    const count = Math.ceil(this.#length / LINE_BYTES);
    return Array.from({ length: count }, (_, at) => at + 1).filter((n) => !this.#lines.has(n));
  }

  /** @throws BundleError CONTENT_MISMATCH for a line that is mistyped, or of another receipt */
  add(line: string): void {
    const text = typed(line);
    const number = /^\d\d/.test(text) ? Number(text.slice(0, 2)) : undefined;
    if (number === undefined) {
      throw mistyped('a line does not begin with its number', line, 'two digits, then the line');
    }
    const named = `line ${text.slice(0, 2)}`;
    if (number > 0 && this.#id === undefined) {
      throw mistyped(`${named} comes before line 00`, line, 'line 00 first');
    }
    const bytes = fromBase32(text.slice(2, -CHECK_CHARACTERS));
    const check = text.slice(-CHECK_CHARACTERS);
    const id = number === 0 ? new Uint8Array(0) : this.#id!;
    if (bytes === undefined || checkOf(number, bytes, id) !== check)
      throw mistyped(`${named} is mistyped, or of another receipt`, line, 'what is printed');
    if (number === 0) this.#begin(bytes, line);
    else this.#put(number, bytes, line);
  }

  /** @throws BundleError NOT_FOUND where lines are missing; CONTENT_MISMATCH */
  compact(): Uint8Array {
    const { missing } = this;
    if (missing.length > 0) {
      const numbers = missing.map((number) => String(number).padStart(2, '0')).join(', ');
      const words = missing.length === 1 ? `line ${numbers} is` : `lines ${numbers} are`;
      throw new BundleError('NOT_FOUND', `${words} missing`, { hint: 'Type them too.' });
    }
    const ordered = [...this.#lines].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
    const compact = Buffer.concat(ordered);
    if (compact.length === this.#length && Buffer.from(idBytes(compact)).equals(this.#id!))
      return compact;
    throw new BundleError('CONTENT_MISMATCH', 'the lines do not make up the receipt', {
      expected: toBase32(this.#id!),
      got: toBase32(idBytes(compact)),
      hint: 'Compare every line with the paper, and type it again.',
    });
  }

  #begin(bytes: Uint8Array, line: string): void {
    const header = Buffer.from(bytes);
    if (header.length !== HEADER_BYTES || header.readUInt8(0) !== FORM)
      throw mistyped('line 00 has another form', line, 'the first line of a receipt');
    const id = header.subarray(3);
    if (this.#id !== undefined && !id.equals(this.#id))
      throw mistyped('line 00 is of another receipt', line, toBase32(this.#id));
    this.#id = id;
    this.#length = header.readUInt16BE(1);
  }

  #put(number: number, bytes: Uint8Array, line: string): void {
    const count = Math.ceil(this.#length / LINE_BYTES);
    const length = number === count ? this.#length - (count - 1) * LINE_BYTES : LINE_BYTES;
    if (number > count || bytes.length !== length)
      throw mistyped('a line has another length than it should have', line, `${count} lines`);
    this.#lines.set(number, bytes);
  }
}

function mistyped(message: string, got: string, expected: string): BundleError {
  return new BundleError('CONTENT_MISMATCH', message, {
    expected,
    got: got.trim().slice(0, 80),
    hint: 'Compare it with the paper, and type that line again.',
  });
}
