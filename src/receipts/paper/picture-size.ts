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
