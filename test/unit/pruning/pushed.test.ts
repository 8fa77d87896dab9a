import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { parseDeliveryTarget } from '../../../src/delivering/delivery-target.ts';
import { History } from '../../../src/history/history.ts';
import { receiptTarget } from '../../../src/receipts/issue.ts';
import { signReceipt } from '../../../src/receipts/signed.ts';
import { type PushedRequest, pushedBundles } from '../../../src/workflows/prune/pushed.ts';
import { contextIn } from '../../support/context.ts';
import { bundleRow, receiptOf, siteKey } from '../../support/receipts.ts';

it('a prune whose receipts are left aside for their key asks for that key alone', async () => {
  const history = await mkdtemp(join(tmpdir(), 'bundle-pushed-'));
  try {
    const asked = async (name: string) => {
      const to = parseDeliveryTarget(name, {}) as PushedRequest['to'];
      const request = { to, paths: [], open: {} as PushedRequest['open'], history };
      return pushedBundles(request, [], contextIn('/'));
    };
    const { destinations } = parseDeliveryTarget('host:5000/ocp4', {}) as PushedRequest['to'];
    const receipt = receiptOf([bundleRow('a')], { target: receiptTarget(destinations) });
    await new History(history).keepReceipt(signReceipt(receipt, siteKey));
    await expect(asked('host:5000/ocp4')).rejects.toMatchObject({
      code: 'USAGE',
      hint: 'Add --trusted-key KEY.pub, with the key of plant-a.',
    });
    // That key would not help about another registry.
    await expect(asked('host:5001/ocp4')).rejects.toMatchObject({
      hint: expect.stringContaining('make a receipt first') as string,
    });
  } finally {
    await rm(history, { recursive: true });
  }
});
