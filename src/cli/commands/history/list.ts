import type { Command } from '../../command.ts';
import { historyOption, historyRequest } from '../../options/receipts/history.ts';
import { receiptKeyOption } from '../../options/receipts/receipt.ts';

export const historyListCommand: Command = {
  examples: [
    ['$0 history', 'what was packed on this host, and where it has arrived'],
    ['$0 history --history /srv/bundle-history', 'a history that several hosts share'],
  ],
  positionals: {},
  options: { ...historyOption, ...receiptKeyOption },
  async run(args, context) {
    const request = await historyRequest(args, context);
    const { readHistory } = await import('../../../workflows/history/look.ts');
    const { historyReport } = await import('../../present/receipts/history-report.ts');
    return historyReport(await readHistory(request, context));
  },
};
