/** Crockford's: no I, L, O and U, which people read as something else. */
const BASE32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** RFC 9285: what a QR code holds in its alphanumeric mode, two thirds of a byte a character. */
const BASE45 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';

export function toBase32(bytes: Uint8Array): string {
  let text = '';
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31]!;
    held &= 31;
  }
  return bits > 0 ? text + BASE32[(held << (5 - bits)) & 31]! : text;
}

/** How people type it: any case, O for 0, I and L for 1, blanks and dashes anywhere. */
export function typed(text: string): string {
  return text.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');
}

/** @returns `undefined` for another character, and for a length or last bits that no bytes have. */
export function fromBase32(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const character of text) {
    const value = BASE32.indexOf(character);
    if (value === -1) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 255);
    held &= (1 << bits) - 1;
  }
  return bits < 5 && held === 0 ? Uint8Array.from(bytes) : undefined;
}

export function toBase45(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 2) {
    const isPair = at + 1 < bytes.length;
    let value = isPair ? bytes[at]! * 256 + bytes[at + 1]! : bytes[at]!;
    for (let digits = isPair ? 3 : 2; digits > 0; digits -= 1) {
      text += BASE45[value % 45]!;
      value = Math.floor(value / 45);
    }
  }
  return text;
}

/** @returns `undefined` for what is not base45. */
export function fromBase45(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  if (text.length % 3 === 1) return undefined;
  for (let at = 0; at < text.length; at += 3) {
    const digits = Array.from(text.slice(at, at + 3), (character) => BASE45.indexOf(character));
    if (digits.includes(-1)) return undefined;
    const value = digits.reduceRight((sum, digit) => sum * 45 + digit, 0);
    if (value >= (digits.length === 3 ? 0x10000 : 0x100)) return undefined;
    if (digits.length === 3) bytes.push(value >> 8);
    bytes.push(value & 255);
  }
  return Uint8Array.from(bytes);
}
