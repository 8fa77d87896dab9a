import type { Command } from '../../command.ts';
import { catalogOptions, catalogPositional, catalogSource } from '../../options/catalog.ts';

export const catalogDiffCommand: Command = {
  examples: [['$0 catalog diff ./catalog-march ./catalog-april', 'what a month has brought']],
  positionals: {
    ...catalogPositional('OLD', 'the older catalog, as for bundle catalog list'),
    ...catalogPositional('NEW', 'the newer one'),
  },
  options: catalogOptions,
  async run(args, context) {
    const { diffCatalogs } = await import('../../../workflows/catalog/look.ts');
    const { diffReport } = await import('../../present/catalog/diff-report.ts');
    return diffReport(
      await diffCatalogs(catalogSource(args, 'OLD'), catalogSource(args, 'NEW'), context),
    );
  },
};
