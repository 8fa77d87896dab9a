import { texts } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { receiptKeyOption, siteName } from '../../options/receipts/receipt.ts';
import { one } from '../../options/table.ts';

export const receiptCheckCommand: Command = {
  examples: [
    [
      '$0 receipt check receipt-plant-a-2026-11-28T230500Z.json --trusted-key plant-a.pub',
      'with the key that you got from the site',
    ],
  ],
  positionals: {
    FILE: { type: 'string', array: true, demandOption: true, describe: 'receipts' },
  },
  options: { ...receiptKeyOption, site: one('site that the receipts have to be of') },
  async run(args, context) {
    const { checkReceipts } = await import('../../../workflows/receipts/look.ts');
    const { checkReport } = await import('../../present/receipts/receipt-report.ts');
    const request = {
      paths: texts(args, 'FILE'),
      trustedKeyFiles: texts(args, 'trusted-key'),
      site: siteName(args),
    };
    return checkReport(await checkReceipts(request, context));
  },
};
