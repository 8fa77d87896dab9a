import { deflateSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

import { checkPictureSize, checkPngPixels } from '../../../../src/receipts/paper/picture-size.ts';

function png(width: number, height: number, depth = 8): Buffer {
  const header = Buffer.alloc(33);
  header.write('89504e470d0a1a0a', 'hex');
  header.writeUInt32BE(13, 8);
  header.write('IHDR', 12, 'latin1');
  header.writeUInt32BE(width, 16);
  header.writeUInt32BE(height, 20);
  header[24] = depth;
  return header;
}

/** With a segment before the frame, as all cameras write. */
function jpeg(width: number, height: number, frame = 0xc2): Buffer {
  const file = Buffer.from(`ffd8ffe10006aaaaaaaaff${frame.toString(16)}0011080000000003`, 'hex');
  file.writeUInt16BE(height, 15);
  file.writeUInt16BE(width, 17);
  return file;
}

describe('the size of a picture', () => {
  it.each([
    ['a PNG', png(4000, 3000)],
    ['a JPEG', jpeg(4000, 3000)],
    ['a JPEG of another frame', jpeg(9000, 7000, 0xc0)],
  ])('is that of a camera: %s', (_, file) => {
    expect(() => {
      checkPictureSize(file, 'picture');
    }).not.toThrow();
  });

  it.each([
    ['a PNG of too many pixels', png(60_000, 60_000), 'too many pixels'],
    ['a PNG of deep colours', png(9000, 9000, 16), 'too many pixels'],
    ['a JPEG of too many pixels', jpeg(65_535, 65_535), 'too many pixels'],
    ['a PNG of nothing', png(0, 10), 'has no size'],
    ['a PNG that is cut', png(10, 10).subarray(0, 20), 'has no size'],
    ['a JPEG that is cut', jpeg(10, 10).subarray(0, 12), 'has no size'],
    ['a JPEG of segments alone', Buffer.from('ffd8ffe00002ffd9', 'hex'), 'has no size'],
  ])('is refused: %s', (_, file, message) => {
    expect(() => {
      checkPictureSize(file, 'picture');
    }).toThrow(message);
  });
});

describe('the pixels of a PNG', () => {
  const chunk = (type: string, data: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    return Buffer.concat([length, Buffer.from(type), data, Buffer.alloc(4)]);
  };
  /** 100 × 100 pixels of 8 bits, with so many bytes in two pieces. */
  const withPixels = (pixels: number): Buffer => {
    const data = deflateSync(Buffer.alloc(pixels));
    const pieces = [data.subarray(0, 5), data.subarray(5)];
    const head = png(100, 100).subarray(16);
    head[9] = 0; // grey
    return Buffer.concat([
      ...[png(1, 1).subarray(0, 8), chunk('IHDR', head.subarray(0, 13)), chunk('tEXt', data)],
      ...pieces.map((piece) => chunk('IDAT', piece)),
    ]);
  };

  it('are as many as its size says', async () => {
    await expect(checkPngPixels(withPixels(100 * 101), 'picture')).resolves.toBeUndefined();
  });

  it.each([
    ['far more', withPixels(64 * 1024 * 1024), 'more than'],
    ['cut off', withPixels(100 * 101).subarray(0, -20), 'unexpected end'],
    ['none', withPixels(0).subarray(0, 60), 'unexpected end'],
  ])('are refused where they are %s', async (_, file, got) => {
    await expect(checkPngPixels(file, 'picture')).rejects.toMatchObject({
      code: 'UNSUPPORTED_CONTENT',
      got: expect.stringContaining(got) as string,
    });
  });
});
