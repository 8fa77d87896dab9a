import { minorOf } from '../../updates/version-order.ts';
import { requiredText, texts } from '../arguments.ts';
import type { Command } from '../command.ts';
import { acceptRiskOption, graphOptions, graphRequest } from '../options/graph.ts';
import { one } from '../options/table.ts';

export const pathCommand: Command = {
  examples: [
    ['$0 path 4.16.20 4.17.3', 'the shortest way without a risk, in stable-4.17'],
    ['$0 path 4.16.20 4.18.3 --channel eus-4.18', 'from one release with long support to the next'],
    ['$0 path 4.16.20 4.17.3 --output svg >path.svg', 'a drawing, for a browser'],
  ],
  positionals: {
    FROM: { type: 'string', demandOption: true, describe: 'release that the cluster runs' },
    TO: { type: 'string', demandOption: true, describe: 'release that it is to run' },
  },
  options: {
    ...graphOptions,
    ...acceptRiskOption,
    output: one('format of the result on stdout', {
      choices: ['text', 'json', 'svg', 'dot', 'mermaid'],
      default: 'text',
      group: 'Output:',
    }),
  },
  async run(args, context) {
    const { planPath } = await import('../../workflows/updates.ts');
    const { pathReport } = await import('../present/path-report.ts');
    const to = requiredText(args, 'TO');
    const report = await planPath(
      {
        ...graphRequest(args, `stable-${minorOf(to)}`),
        ...{ from: requiredText(args, 'FROM'), to },
        acceptedRisks: texts(args, 'accept-risk'),
      },
      context,
    );
    return pathReport(report, requiredText(args, 'output'));
  },
};
