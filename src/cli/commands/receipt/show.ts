import { BundleError } from '../../../core/errors.ts';
import type { ShownReceipt } from '../../../workflows/receipts/look.ts';
import { flag, text, texts } from '../../arguments.ts';
import type { Command, Outcome } from '../../command.ts';
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
    FILE: { type: 'string', array: true, demandOption: true, describe: 'receipts' },
  },
  options: {
    qr: yes('for paper: QR codes, and lines to be typed'),
    out: one('with --qr, folder to write PNG files and a text file to', { alias: 'o' }),
    ...receiptKeyOption,
  },
  async run(args, context, io) {
    const { showReceipt } = await import('../../../workflows/receipts/look.ts');
    const { paperText, showReport, showReports } =
      await import('../../present/receipts/receipt-report.ts');
    const keys = texts(args, 'trusted-key');
    const shown: ShownReceipt[] = [];
    for (const path of texts(args, 'FILE')) shown.push(await showReceipt(path, keys, context));
    const folder = text(args, 'out');
    if (!flag(args, 'qr')) {
      if (folder === undefined) return showReports(shown.map((one) => showReport(one, [])));
      throw new BundleError('USAGE', '--out is about files for paper, and none are asked for', {
        hint: 'Add --qr.',
      });
    }
    const { onPaper, writePaper } = await import('../../../receipts/paper/paper.ts');
    if (folder !== undefined) {
      const written: Outcome[] = [];
      for (const one of shown) written.push(showReport(one, await writePaper(folder, one)));
      return showReports(written);
    }
    const columns = io.stdout.isTTY ? io.stdout.columns : undefined;
    const papers = shown.map((one) => paperText(one, onPaper(one), columns));
    return {
      ...showReports(shown.map((one) => showReport(one, []))),
      document: papers.join('\n\n'),
    };
  },
};
