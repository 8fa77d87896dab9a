import { requiredText } from '../../arguments.ts';
import type { Command } from '../../command.ts';

export const imagesetDiffCommand: Command = {
  examples: [
    ['$0 imageset diff november.lock december.lock', 'what the next bundle brings'],
    [
      '$0 imageset diff november.lock december.lock --output json',
      'in a script: status 0 whether they differ or not',
    ],
  ],
  positionals: {
    OLD: {
      type: 'string',
      demandOption: true,
      describe: 'the older lock, as bundle pack --lock wrote it',
    },
    NEW: { type: 'string', demandOption: true, describe: 'the newer one' },
  },
  options: {},
  async run(args) {
    const { comparedLocks } = await import('../../../workflows/image-set/compare-locks.ts');
    const { lockDiffReport } = await import('../../present/image-set/lock-diff-report.ts');
    return lockDiffReport(
      await comparedLocks(requiredText(args, 'OLD'), requiredText(args, 'NEW')),
    );
  },
};
