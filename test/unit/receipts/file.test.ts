import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { MAX_PICTURE_BYTES, MAX_RECEIPT_BYTES } from '../../../src/core/limits.ts';
import { isReceiptFile } from '../../../src/history/begins.ts';
import { readReceipt, receiptContent, receiptsIn } from '../../../src/receipts/file.ts';
import { codesIn } from '../../../src/receipts/paper/pictures.ts';
import { formatSigned, signReceipt } from '../../../src/receipts/signed.ts';
import { bundleRow, receiptOf, siteKey } from '../../support/receipts.ts';
import { temporaryFolder } from '../../support/user.ts';

const MARK = Buffer.from('\uFEFF');
const genuine = Buffer.from(formatSigned(signReceipt(receiptOf([bundleRow('one')]), siteKey)));

describe('the file of a receipt', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;
  beforeEach(async () => {
    temporary = await temporaryFolder('receipt-file');
    path = join(temporary.path, 'receipt-plant-a.json');
  });
  afterEach(() => temporary.remove());

  it('may begin with a byte order mark, however it is read', async () => {
    await writeFile(path, Buffer.concat([MARK, genuine]));
    expect(await isReceiptFile(path)).toBe(true);
    const { bytes } = await readReceipt(path);
    expect((await receiptsIn(temporary.path)).map((one) => one.bytes)).toEqual([bytes]);
    await writeFile(path, Buffer.concat([MARK, MARK, genuine]));
    expect(await isReceiptFile(path)).toBe(false);
    await expect(readReceipt(path)).rejects.toMatchObject({ exitStatus: 20 });
    expect(await receiptsIn(temporary.path)).toEqual([]);
  });

  it('is meant with blanks before it, and wrong content then', async () => {
    for (const blanks of [' ', '\n\r\n\t']) {
      await writeFile(path, Buffer.concat([Buffer.from(blanks), genuine]));
      expect(await isReceiptFile(path)).toBe(true);
      await expect(readReceipt(path)).rejects.toMatchObject({ exitStatus: 20 });
    }
    await writeFile(path, ' '.repeat(100));
    expect(await isReceiptFile(path)).toBe(false);
  });

  it('is wrong content where it is larger than any, or cut off', async () => {
    await writeFile(path, genuine);
    await truncate(path, MAX_RECEIPT_BYTES + 1);
    expect(await isReceiptFile(path)).toBe(true);
    for (const read of [readReceipt, receiptContent]) {
      const said = { exitStatus: 20, message: expect.stringContaining(path) as string };
      await expect(read(path, 'text')).rejects.toMatchObject({ ...said, got: 'more' });
    }
    await truncate(path, MAX_PICTURE_BYTES + 1);
    await expect(codesIn(path)).rejects.toMatchObject({ exitStatus: 20, got: 'more' });
    await writeFile(path, genuine.subarray(0, 5));
    expect(await isReceiptFile(path)).toBe(false);
    expect(await readFile(path)).toHaveLength(5);
  });

  it('is none where there is nothing, or a folder', async () => {
    expect(await isReceiptFile(path)).toBe(false);
    await mkdir(path);
    await expect(isReceiptFile(path)).rejects.toMatchObject({
      code: 'DISK',
      message: expect.stringContaining(path) as string,
    });
  });
});
