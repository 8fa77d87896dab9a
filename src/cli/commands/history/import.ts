import { texts } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { openRequest, trustOptions } from '../../options/bundle.ts';
import { historyOption, namedHistory } from '../../options/receipts/history.ts';
import { yes } from '../../options/table.ts';

export const historyImportCommand: Command = {
  examples: [
    ['$0 history import /media/usb', 'the receipts on a medium that has come back'],
    [
      '$0 history import /media/usb/ocp-4.17.3-x86_64.tar.zst',
      'a bundle that somebody else packed',
    ],
  ],
  positionals: {
    PATH: {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'receipts, bundles, or folders that hold them',
    },
  },
  options: {
    ...historyOption,
    'accept-new-key': yes('accept receipts of a site that has signed with another key before'),
    'trusted-key': trustOptions['trusted-key']!,
    'release-key': trustOptions['release-key']!,
  },
  async run(args, context) {
    const open = await openRequest(args);
    const { importHistory } = await import('../../../workflows/history/import.ts');
    const { importReport } = await import('../../present/receipts/history-report.ts');
    const history = namedHistory(args, context);
    const request = {
      history,
      paths: texts(args, 'PATH'),
      open,
      acceptNewKey: args['accept-new-key'] === true,
    };
    const report = await importHistory(request, context);
    return importReport(history, report, texts(args, 'trusted-key'));
  },
};
