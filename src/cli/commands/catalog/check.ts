import type { Command } from '../../command.ts';
import { catalogOptions, catalogPositional, catalogSource } from '../../options/catalog.ts';

export const catalogCheckCommand: Command = {
  examples: [
    ['$0 catalog check ./catalog', 'all that is wrong with it'],
    ['$0 catalog check ./catalog --output json', 'in a script: status 20 for a finding'],
  ],
  positionals: catalogPositional('CATALOG'),
  options: catalogOptions,
  async run(args, context) {
    const { checkCatalogAt } = await import('../../../workflows/catalog/look.ts');
    const { checkReport } = await import('../../present/catalog/check-report.ts');
    return checkReport(await checkCatalogAt(catalogSource(args), context));
  },
};
