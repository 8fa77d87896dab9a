import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { BundleError } from '../../../src/core/errors.ts';
import { History } from '../../../src/history/history.ts';
import { type SiteQuestion, siteOfReceipt } from '../../../src/history/site.ts';
import { writeReceipt } from '../../../src/receipts/file.ts';
import { issueReceipt } from '../../../src/receipts/issue.ts';
import type { ReceiptTarget } from '../../../src/receipts/receipt.ts';
import type { CheckedReceipt } from '../../../src/receipts/signed.ts';
import { SigningKey } from '../../../src/trust/keys.ts';
import { bundleRow, receiptOf, siteKey } from '../../support/receipts.ts';

const { target } = receiptOf([]);
const REGISTRY = target.registry;
const elsewhere: ReceiptTarget = { ...target, namespace: 'elsewhere' };
const AT = new Date('2026-11-28T23:05:00Z');

describe('the site of a receipt', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-site-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const earlier = async (
    site: string,
    at = target,
    key: SigningKey = siteKey,
  ): Promise<CheckedReceipt> => {
    const issue = { site, target: at, bundles: [bundleRow('a')] };
    const signed = issueReceipt(issue, [], key, AT);
    await writeReceipt(folder, signed);
    return signed;
  };
  const asked = (more: Partial<SiteQuestion> = {}): Promise<string> =>
    siteOfReceipt({ isNewSite: false, target, folder, key: siteKey, ...more });
  const refused = async (more: Partial<SiteQuestion> = {}): Promise<BundleError> => {
    const error: unknown = await asked(more).catch((thrown: unknown) => thrown);
    if (!(error instanceof BundleError)) throw new TypeError(`not refused: ${String(error)}`);
    expect(error.code).toBe('USAGE');
    return error;
  };

  it('is called as it is named, or like its registry, where there is no earlier one', async () => {
    expect(await asked({ site: 'plant-a' })).toBe('plant-a');
    expect(await asked()).toBe(REGISTRY);
    await writeFile(join(folder, 'receipt-x.json'), 'none');
    expect(await asked({ key: undefined })).toBe(REGISTRY);
  });

  it('is that of the earlier ones about its target, in the folder or in the history', async () => {
    const signed = await earlier('plant-a');
    expect(await asked()).toBe('plant-a');
    expect(await asked({ site: 'plant-a' })).toBe('plant-a');
    const history = join(folder, 'history');
    await new History(history).keepReceipt(signed);
    expect(await asked({ folder: join(folder, 'empty'), history })).toBe('plant-a');
    expect(await asked({ folder: join(folder, 'empty') })).toBe(REGISTRY);
  });

  it('is refused under a name that no earlier one has, unless it is said to be new', async () => {
    await earlier('plant-a');
    const error = await refused({ site: 'plant-aa' });
    expect(error.message).toContain('is of the site plant-aa');
    expect(error.hint).toContain('give --site plant-a.');
    expect(error.hint).toContain('--new-site');
    expect(await asked({ site: 'plant-aa', isNewSite: true })).toBe('plant-aa');
    expect(await asked({ isNewSite: true })).toBe(REGISTRY);
    expect(await asked({ site: 'plant-b', target: elsewhere })).toBe('plant-b');
  });

  it('is not guessed where earlier ones are of several sites, or of another one alone', async () => {
    await earlier('plant-a');
    const other = await refused({ target: elsewhere });
    expect(other).toMatchObject({ expected: '--site NAME' });
    expect(other.got).toContain('plant-a');
    await earlier('plant-b');
    expect((await refused()).got).toContain('plant-a, plant-b');
    expect(await asked({ site: 'plant-b' })).toBe('plant-b');
    await earlier(REGISTRY, elsewhere);
    expect(await asked({ target: { ...target, namespace: 'third' } })).toBe(REGISTRY);
  });

  it('has nothing to do with what other keys have signed', async () => {
    await earlier('plant-a', target, SigningKey.generate('ecdsa-p256'));
    expect(await asked()).toBe(REGISTRY);
    expect(await asked({ site: 'plant-b' })).toBe('plant-b');
  });
});
