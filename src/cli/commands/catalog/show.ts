import { requiredText, text } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { catalogOptions, catalogPositional, catalogSource } from '../../options/catalog.ts';
import { one } from '../../options/table.ts';

export const catalogShowCommand: Command = {
  examples: [
    ['$0 catalog show ./catalog foo', 'all of its channels'],
    ['$0 catalog show ./catalog foo --channel stable --output svg >foo.svg', 'a drawing'],
  ],
  positionals: {
    ...catalogPositional('CATALOG'),
    PACKAGE: { type: 'string', demandOption: true, describe: 'operator' },
  },
  options: {
    ...catalogOptions,
    channel: one('channel (default: all; for a drawing the default channel)'),
    output: one('format of the result on stdout', {
      choices: ['text', 'json', 'svg', 'dot', 'mermaid'],
      default: 'text',
      group: 'Output:',
    }),
  },
  async run(args, context) {
    const { showPackage } = await import('../../../workflows/catalog/look.ts');
    const { showReport } = await import('../../present/catalog/show-report.ts');
    const channel = text(args, 'channel');
    const wanted = { package: requiredText(args, 'PACKAGE'), channel };
    const report = await showPackage(catalogSource(args), wanted, context);
    return showReport(report, { channel, format: requiredText(args, 'output') });
  },
};
