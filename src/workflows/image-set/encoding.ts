import { BundleError } from '../../core/errors.ts';

/** How a text begins in another encoding: with its mark, or with an ASCII character without one. */
const ENCODINGS: readonly (readonly [string, (start: readonly number[]) => boolean])[] = [
  ['UTF-32', ([a, b, c, d]) => a === 0xff && b === 0xfe && c === 0 && d === 0],
  ['UTF-32', ([a, b, c, d]) => a === 0 && b === 0 && c === 0xfe && d === 0xff],
  ['UTF-32', ([a, b, c, d]) => isAscii(a) && b === 0 && c === 0 && d === 0],
  ['UTF-32', ([a, b, c, d]) => a === 0 && b === 0 && c === 0 && isAscii(d)],
  ['UTF-16', ([a, b]) => (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)],
  ['UTF-16', ([a, b]) => (isAscii(a) && b === 0) || (a === 0 && isAscii(b))],
];

/**
 * The text of a file, which has to be UTF-8: that of another encoding would be read as something
 * else, or as nothing at all.
 * @throws BundleError CONFIGURATION
 */
export function textOfFile(bytes: Uint8Array, name: string): string {
  const start = [...bytes.subarray(0, 4)];
  const [encoding] = ENCODINGS.find(([, isSo]) => isSo(start)) ?? [];
  if (encoding !== undefined) throw notUtf8(name, encoding);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw notUtf8(name, 'another encoding, such as ISO 8859-1 or Windows-1252');
  }
}

function isAscii(byte: number | undefined): boolean {
  return byte !== undefined && byte > 0 && byte < 0x80;
}

function notUtf8(name: string, encoding: string): BundleError {
  return new BundleError('CONFIGURATION', `${name} is no text in UTF-8, but in ${encoding}`, {
    expected: 'UTF-8',
    got: encoding,
    subject: name,
    hint: 'Save it as UTF-8 in the editor, or convert it with iconv.',
  });
}
