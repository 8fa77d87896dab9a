import { text, texts } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { paperFolderOption, receiptKeyOption } from '../../options/receipts/receipt.ts';

export const receiptScanCommand: Command = {
  examples: [
    ['$0 receipt scan IMG_0001.jpg IMG_0002.jpg', 'photographs of the paper, in any order'],
  ],
  positionals: {
    PICTURE: {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'JPEG or PNG files; each may show several codes',
    },
  },
  options: { ...paperFolderOption, ...receiptKeyOption },
  async run(args, context) {
    const { scanReceipts } = await import('../../../workflows/receipts/paper.ts');
    const { paperReport } = await import('../../present/receipts/receipt-report.ts');
    const request = {
      folder: text(args, 'out') ?? '.',
      trustedKeyFiles: texts(args, 'trusted-key'),
    };
    return paperReport(await scanReceipts(texts(args, 'PICTURE'), request, context));
  },
};
