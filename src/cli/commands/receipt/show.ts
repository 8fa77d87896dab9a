import { BundleError } from '../../../core/errors.ts';
import { flag, requiredText, text, texts } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { receiptKeyOption } from '../../options/receipts/receipt.ts';
import { one, yes } from '../../options/table.ts';

const NAME = 'receipt-plant-a-2026-11-28T230500Z.json';

export const receiptShowCommand: Command = {
  examples: [
    [`$0 receipt show ${NAME}`, 'what a site has'],
    [`$0 receipt show ${NAME} --qr`, 'as QR codes in the terminal, and as lines to be typed'],
    [`$0 receipt show ${NAME} --qr -o paper`, 'the same as files, to be printed'],
  ],
  positionals: {
    FILE: { type: 'string', demandOption: true, describe: 'a receipt' },
  },
  options: {
    qr: yes('for paper: QR codes, and lines to be typed'),
    out: one('with --qr, folder to write PNG files and a text file to', { alias: 'o' }),
    ...receiptKeyOption,
  },
  async run(args, context, io) {
    const { showReceipt } = await import('../../../workflows/receipts/look.ts');
    const { paperText, showReport } = await import('../../present/receipts/receipt-report.ts');
    const keys = texts(args, 'trusted-key');
    const shown = await showReceipt(requiredText(args, 'FILE'), keys, context);
    const folder = text(args, 'out');
    if (!flag(args, 'qr')) {
      if (folder === undefined) return showReport(shown, []);
      throw new BundleError('USAGE', '--out is about files for paper, and none are asked for', {
        hint: 'Add --qr.',
      });
    }
    const { onPaper, writePaper } = await import('../../../receipts/paper/paper.ts');
    if (folder !== undefined) return showReport(shown, await writePaper(folder, shown));
    const columns = io.stdout.isTTY ? io.stdout.columns : undefined;
    return { ...showReport(shown, []), document: paperText(shown, onPaper(shown), columns) };
  },
};
