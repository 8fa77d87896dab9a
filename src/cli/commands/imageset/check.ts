import { requiredText } from '../../arguments.ts';
import type { Command } from '../../command.ts';

export const imagesetCheckCommand: Command = {
  examples: [
    ['$0 imageset check imageset.yaml', 'what it asks for, and what is wrong with it'],
    ['$0 imageset check imageset.yaml --output json', 'in a script: status 2 for an error'],
  ],
  positionals: {
    FILE: {
      type: 'string',
      demandOption: true,
      describe: 'ImageSetConfiguration or DeleteImageSetConfiguration',
    },
  },
  options: {},
  async run(args) {
    const { checkImageSet } = await import('../../../workflows/image-set/file.ts');
    const { checkReport } = await import('../../present/image-set/check-report.ts');
    const file = requiredText(args, 'FILE');
    return checkReport(file, await checkImageSet(file));
  },
};
