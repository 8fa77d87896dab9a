import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { prepareZXingModule, readBarcodes, type ReaderOptions } from 'zxing-wasm/reader';

import { BundleError } from '../../core/errors.ts';
import { MAX_PICTURE_BYTES } from '../../core/limits.ts';
import { isRegular } from '../../files/look.ts';
import { readSmallFile } from '../../files/small-file.ts';
import { receiptContent } from '../file.ts';
import { checkPictureSize, checkPngPixels } from './picture-size.ts';

const READER = 'zxing_reader.wasm';
const MAX_READER_BYTES = 16 * 1024 * 1024;
const OPTIONS: ReaderOptions = {
  formats: ['QRCode'],
  tryHarder: true,
  tryRotate: true,
  tryInvert: false,
  tryDownscale: true,
  maxNumberOfSymbols: 255,
};
const PICTURE = 'picture that can be read';
const PNG = '89504e470d0a1a0a';
const PICTURES: readonly (readonly [string, string])[] = [
  ['PNG', PNG],
  ['JPEG', 'ffd8ff'],
];

/**
 * The texts of all QR codes in a picture: a PNG or JPEG of any size, as cameras write it.
 * @throws BundleError NOT_FOUND, UNSUPPORTED_CONTENT for what is no picture, or too large a one; DISK
 */
export async function codesIn(path: string): Promise<readonly string[]> {
  const file = Buffer.from(await receiptContent(path, PICTURE, MAX_PICTURE_BYTES));
  const begin = file.subarray(0, 8).toString('hex');
  if (!PICTURES.some(([, magic]) => begin.startsWith(magic))) {
    throw new BundleError('UNSUPPORTED_CONTENT', `${path} is no ${PICTURE}`, {
      expected: PICTURES.map(([name]) => name).join(' or '),
      subject: path,
      hint: 'Save the picture as JPEG or PNG. Telephones that write HEIC can be told to.',
    });
  }
  checkPictureSize(file, path);
  if (begin.startsWith(PNG)) await checkPngPixels(file, path);
  await prepared();
  const found = await readBarcodes(file, OPTIONS);
  return found.filter(({ isValid }) => isValid).map(({ text }) => text);
}

let preparing: Promise<unknown> | undefined;

/** The package would fetch its program from the network: it is given the one that was installed. */
async function prepared(): Promise<void> {
  preparing ??= (async () => {
    const wasm = await readSmallFile(await readerPath(), MAX_READER_BYTES);
    const wasmBinary = new Uint8Array(wasm).buffer;
    await prepareZXingModule({ overrides: { wasmBinary }, fireImmediately: true });
  })();
  await preparing;
}

/** Beside the built program, or in the package. */
async function readerPath(): Promise<string> {
  for (const inside of [READER, `../${READER}`]) {
    const path = fileURLToPath(new URL(inside, import.meta.url));
    if (await isRegular(path)) return path;
  }
  return createRequire(import.meta.url).resolve(`zxing-wasm/reader/${READER}`);
}
