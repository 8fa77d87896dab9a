import type { Command } from '../../command.ts';
import { historyOption, historyRequest } from '../../options/receipts/history.ts';
import { receiptKeyOption } from '../../options/receipts/receipt.ts';

export const historySitesCommand: Command = {
  examples: [['$0 history sites --trusted-key plant-a.pub', 'what each site is proven to have']],
  positionals: {},
  options: { ...historyOption, ...receiptKeyOption },
  async run(args, context) {
    const request = await historyRequest(args, context);
    const { readHistory } = await import('../../../workflows/history/look.ts');
    const { sitesReport } = await import('../../present/receipts/history-report.ts');
    return sitesReport(await readHistory(request, context));
  },
};
