import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { publishReceipt } from '../../../src/history/publish.ts';
import { parseSigned } from '../../../src/receipts/signed.ts';
import { standingsOf } from '../../../src/receipts/standing.ts';
import { contextIn } from '../../support/context.ts';
import { bundleRow, receiptOf, siteKey } from '../../support/receipts.ts';
import { temporaryFolder } from '../../support/user.ts';

const { site, target } = receiptOf([]);

it('gives receipts of one second a name each, and each repeats the one before it', async () => {
  const temporary = await temporaryFolder('publish');
  try {
    const folder = join(temporary.path, 'receipts');
    const context = contextIn(temporary.path, { now: new Date('2026-11-28T23:05:00Z') });
    const history = join(temporary.path, 'history');
    const publish = (name: string): ReturnType<typeof publishReceipt> =>
      publishReceipt(
        { site, target, bundles: [bundleRow(name)] },
        { folder, key: siteKey, history, paper: false },
        context,
      );
    await publish('zero');
    await Promise.all(['one', 'two', 'three'].map(publish));
    const names = await readdir(folder);
    expect(names).toHaveLength(4);
    const receipts = await Promise.all(
      names.map(async (name) => parseSigned(await readFile(join(folder, name)), name).receipt),
    );
    const [standing] = standingsOf(receipts);
    const proven = standing!.bundles.map(({ name }) => name).sort();
    expect(proven).toEqual(['one', 'three', 'two', 'zero']);
    expect(await readdir(join(history, 'receipts'))).toHaveLength(4);
  } finally {
    await temporary.remove();
  }
});
