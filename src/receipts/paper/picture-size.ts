import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflate } from 'node:zlib';

import { BundleError } from '../../core/errors.ts';
import { MAX_PIXEL_BYTES } from '../../core/limits.ts';

interface PictureSize {
  readonly width: number;
  readonly height: number;
  /** What a pixel takes in memory, in bytes. */
  readonly pixelBytes: number;
}

/**
 * Refuses a picture that would take too much memory, or whose beginning does not say how large it
 * is: a small file may unpack to gigabytes.
 * @param file a PNG or a JPEG.
 * @throws BundleError UNSUPPORTED_CONTENT
 */
export function checkPictureSize(file: Buffer, path: string): void {
  const size = file[0] === 0x89 ? sizeOfPng(file) : sizeOfJpeg(file);
  if (size === undefined || size.width === 0 || size.height === 0) {
    throw new BundleError('UNSUPPORTED_CONTENT', `${path} is damaged: it has no size`, {
      subject: path,
      hint: 'Copy the picture again from the camera, or photograph the codes again.',
    });
  }
  const { width, height, pixelBytes } = size;
  if (width * height * pixelBytes <= MAX_PIXEL_BYTES) return;
  throw new BundleError('UNSUPPORTED_CONTENT', `${path} has too many pixels`, {
    subject: path,
    expected: `${Math.floor(MAX_PIXEL_BYTES / pixelBytes / 1e6)} million pixels at most`,
    got: `${width} × ${height}`,
    hint: 'Save the picture smaller, or cut it to the codes.',
  });
}

/**
 * Refuses a PNG whose pixels are damaged, or more than its size says: a reader of pictures unpacks
 * all of them before it looks at the size.
 * @throws BundleError UNSUPPORTED_CONTENT
 */
export async function checkPngPixels(file: Buffer, path: string): Promise<void> {
  const { width, height } = sizeOfPng(file)!;
  const bits = file[24]! * (CHANNELS[file[25]!] ?? 4);
  // A line begins with a byte that says how it is filtered. Interlaced lines come in pieces.
  const expected = height * (1 + Math.ceil((width * bits) / 8));
  const most = 2 * expected + 64;
  let length = 0;
  const count = new Writable({
    write: (chunk: Buffer, _, done) => {
      length += chunk.length;
      done(length > most ? new Error(`more than ${most} bytes`) : null);
    },
  });
  try {
    await pipeline(Readable.from(pixelsOf(file)), createInflate(), count);
  } catch (cause) {
    throw new BundleError('UNSUPPORTED_CONTENT', `${path} is damaged: its pixels are not whole`, {
      cause,
      subject: path,
      expected: `${expected} bytes, for ${width} × ${height}`,
      got: (cause as Error).message,
      hint: 'Copy the picture again from the camera, or photograph the codes again.',
    });
  }
}

/** Of a pixel, by the type of its colour (PNG specification, 11.2.2). */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** The content of its chunks IDAT. */
function* pixelsOf(file: Buffer): Generator<Buffer> {
  for (let at = 8; at + 8 <= file.length;) {
    const length = file.readUInt32BE(at);
    if (file.toString('latin1', at + 4, at + 8) === 'IDAT')
      yield file.subarray(at + 8, at + 8 + length);
    at += 12 + length;
  }
}

/** From its first chunk, IHDR. */
function sizeOfPng(file: Buffer): PictureSize | undefined {
  if (file.length < 26 || file.toString('latin1', 12, 16) !== 'IHDR') return undefined;
  const isDeep = file[24] === 16;
  return {
    width: file.readUInt32BE(16),
    height: file.readUInt32BE(20),
    pixelBytes: isDeep ? 8 : 4,
  };
}

/** From the header of its frame: SOF0 to SOF15, of which three markers are something else. */
function sizeOfJpeg(file: Buffer): PictureSize | undefined {
  for (let at = 2; at + 9 <= file.length && file[at] === 0xff;) {
    const marker = file[at + 1]!;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame)
      return { width: file.readUInt16BE(at + 7), height: file.readUInt16BE(at + 5), pixelBytes: 4 };
    at += 2 + file.readUInt16BE(at + 2);
  }
  return undefined;
}
