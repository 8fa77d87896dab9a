import { crc32, deflateSync } from 'node:zlib';

import { encode } from 'uqr';

/**
 * Measured with codes of one width (4.5 cm at 150 dpi and at 110 dpi), turned, blurred, saved as JPEG
 * of quality 50, with nothing, a fiftieth or a twentieth of their area torn away. Of 24 such pictures
 * with 160 bytes, level M was read in 9, L in 8, Q in 8 and H in 4; with 320 bytes, M in 4. A lower
 * level has larger modules; a higher one withstands more damage, which the spare code does as well.
 */
const LEVEL = 'M';
/** Blank modules around a code: the standard wants four. */
const QUIET = 4;
/** Pixels of a module, and of a metre: at 300 dpi a module is 0.68 mm, and a code 4.5 cm wide. */
const SCALE = 8;
const PER_METRE = 11_811;

/** The modules of a QR code with its blank border, dark ones `true`. */
export type Modules = readonly (readonly boolean[])[];

/** @param text in the characters of QR's alphanumeric mode. */
export function modulesOf(text: string): Modules {
  return encode(text, { ecc: LEVEL, border: QUIET }).data;
}

/** A PNG of one bit a pixel, made to be printed. */
export function pngOf(modules: Modules): Uint8Array {
  const side = modules.length * SCALE;
  const bytes = Math.ceil(side / 8);
  const rows: Uint8Array[] = [];
  for (const row of modules) {
    const line = Buffer.alloc(1 + bytes); // a row begins with its filter: none
    for (let at = 0; at < side; at += 1) {
      if (row[Math.floor(at / SCALE)] !== true) line[1 + (at >> 3)]! |= 0x80 >> (at & 7);
    }
    for (let time = 0; time < SCALE; time += 1) rows.push(line);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.writeUInt8(1, 8); // bits a pixel; grey, deflated, filtered by rows, not interlaced
  const size = Buffer.alloc(9);
  size.writeUInt32BE(PER_METRE, 0);
  size.writeUInt32BE(PER_METRE, 4);
  size.writeUInt8(1, 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('pHYs', size),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(content.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
