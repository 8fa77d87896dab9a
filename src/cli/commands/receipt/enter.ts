import { utf8 } from '../../../core/bytes.ts';
import type { BundleError } from '../../../core/errors.ts';
import { MAX_RECEIPT_BYTES } from '../../../core/limits.ts';
import { text, texts } from '../../arguments.ts';
import { askLines, canAsk } from '../../ask.ts';
import type { Command } from '../../command.ts';
import { paperFolderOption, receiptKeyOption } from '../../options/receipts/receipt.ts';
import { PIPE, readStdin } from '../../pipes.ts';

export const receiptEnterCommand: Command = {
  examples: [
    ['$0 receipt enter', 'in a terminal: it asks for one line after the other'],
    ['$0 receipt enter lines.txt -o receipts', 'lines that are in a file; - for stdin'],
  ],
  positionals: {
    FILE: {
      type: 'string',
      describe: 'the lines of a receipt, or the texts of its QR codes as another program read them',
    },
  },
  options: { ...paperFolderOption, ...receiptKeyOption },
  async run(args, context, io) {
    const { askForLines, enterReceipt } = await import('../../../workflows/receipts/paper.ts');
    const { paperReport } = await import('../../present/receipts/receipt-report.ts');
    const { receiptContent } = await import('../../../receipts/file.ts');
    const request = {
      folder: text(args, 'out') ?? '.',
      trustedKeyFiles: texts(args, 'trusted-key'),
    };
    const file = text(args, 'FILE');
    if (file === undefined && canAsk(io)) {
      const tell = ({ message, hint }: BundleError): void => {
        io.stderr.write(`${message}. ${hint ?? ''}\n`);
      };
      return paperReport(await askLines(io, (ask) => askForLines(ask, tell, request, context)));
    }
    const bytes =
      file === undefined || file === PIPE
        ? await readStdin(io, MAX_RECEIPT_BYTES, 'the lines of the receipt')
        : await receiptContent(file, 'text of a receipt');
    return paperReport(await enterReceipt(utf8(bytes), request, context));
  },
};
