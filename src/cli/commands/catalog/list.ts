import type { Command } from '../../command.ts';
import { catalogOptions, catalogPositional, catalogSource } from '../../options/catalog.ts';

export const catalogListCommand: Command = {
  examples: [
    ['$0 catalog list registry.redhat.io/redhat/redhat-operator-index:v4.17', 'of a registry'],
    ['$0 catalog list ./catalog', 'of a folder'],
  ],
  positionals: catalogPositional('CATALOG'),
  options: catalogOptions,
  async run(args, context) {
    const { listCatalog } = await import('../../../workflows/catalog/look.ts');
    const { listReport } = await import('../../present/catalog/list-report.ts');
    return listReport(await listCatalog(catalogSource(args), context));
  },
};
