import type { Command } from '../command.ts';
import { graphOptions, graphRequest } from '../options/graph.ts';

export const releasesCommand: Command = {
  examples: [
    ['$0 releases --channel stable-4.17', 'what the update service has'],
    ['$0 releases --graph answer.json', 'what a file has that was saved elsewhere'],
  ],
  positionals: {},
  options: graphOptions,
  async run(args, context) {
    const { listReleases } = await import('../../workflows/updates.ts');
    const { releasesReport } = await import('../present/releases-report.ts');
    return releasesReport(await listReleases(graphRequest(args, undefined), context));
  },
};
