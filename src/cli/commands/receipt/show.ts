import { requiredText, texts } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { receiptKeyOption } from '../../options/receipts/receipt.ts';

export const receiptShowCommand: Command = {
  examples: [['$0 receipt show receipt-plant-a-2026-11-28T230500Z.json', 'what a site has']],
  positionals: {
    FILE: { type: 'string', demandOption: true, describe: 'a receipt' },
  },
  options: receiptKeyOption,
  async run(args, context) {
    const { showReceipt } = await import('../../../workflows/receipts/look.ts');
    const { showReport } = await import('../../present/receipts/receipt-report.ts');
    const keys = texts(args, 'trusted-key');
    return showReport(await showReceipt(requiredText(args, 'FILE'), keys, context));
  },
};
