import { counted, formatBytes } from '../../../core/text.ts';
import type { Command } from '../../command.ts';

export const cacheClearCommand: Command = {
  examples: [['$0 cache clear', 'the next pack asks for everything again']],
  positionals: {},
  options: {},
  async run(_args, context) {
    const { clearCache } = await import('../../../workflows/clear-cache.ts');
    const { folder, files, bytes } = await clearCache(context);
    return {
      json: { folder, files, bytes },
      report: () => [
        [
          { verdict: `Removed ${counted(files, 'manifest')}, ${formatBytes(bytes)}`, mood: 'good' },
          { facts: [['cache', folder]] },
        ],
      ],
    };
  },
};
