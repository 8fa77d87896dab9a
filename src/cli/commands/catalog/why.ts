import { requiredText } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import {
  catalogOptions,
  catalogPositional,
  catalogSource,
  filterOptions,
  filterRequest,
} from '../../options/catalog.ts';

export const catalogWhyCommand: Command = {
  examples: [
    ['$0 catalog why ./catalog foo --config imageset.yaml', 'by what the file asks for'],
    ['$0 catalog why ./catalog foo', 'where nothing but the operator is asked for'],
  ],
  positionals: {
    ...catalogPositional('CATALOG'),
    PACKAGE: { type: 'string', demandOption: true, describe: 'operator' },
  },
  options: { ...catalogOptions, ...filterOptions },
  async run(args, context) {
    const { whyPackage } = await import('../../../workflows/catalog/filter.ts');
    const { whyReport } = await import('../../present/catalog/why-report.ts');
    const name = requiredText(args, 'PACKAGE');
    const request = filterRequest(args, [name]);
    return whyReport(await whyPackage(catalogSource(args), { ...request, package: name }, context));
  },
};
