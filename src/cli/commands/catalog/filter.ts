import { requiredText } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import {
  catalogOptions,
  catalogPositional,
  catalogSource,
  filterOptions,
  filterRequest,
} from '../../options/catalog.ts';
import { one } from '../../options/table.ts';

export const catalogFilterCommand: Command = {
  examples: [
    ['$0 catalog filter ./catalog --config imageset.yaml -o filtered', 'by what a file asks for'],
    ['$0 catalog filter ./catalog --package foo -o filtered', 'the newest versions of an operator'],
  ],
  positionals: catalogPositional('CATALOG'),
  options: {
    out: one('new folder for the filtered catalog', { alias: 'o', demandOption: true }),
    ...filterOptions,
    ...catalogOptions,
  },
  async run(args, context) {
    const { writeFilteredCatalog } = await import('../../../workflows/catalog/filter.ts');
    const { filterReport } = await import('../../present/catalog/filter-report.ts');
    const request = { ...filterRequest(args), folder: requiredText(args, 'out') };
    return filterReport(await writeFilteredCatalog(catalogSource(args), request, context));
  },
};
