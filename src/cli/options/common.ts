import { one, type OptionTable, yes } from './table.ts';

/** Every command takes these. */
export const commonOptions: OptionTable = {
  output: one('how the result is written to stdout', {
    choices: ['text', 'json'],
    default: 'text',
    group: 'Output:',
  }),
  progress: one('how progress is shown on stderr', {
    choices: ['auto', 'plain', 'json', 'none'],
    default: 'auto',
    group: 'Output:',
  }),
  'log-level': one('what is reported on stderr', {
    choices: ['error', 'warn', 'info', 'debug'],
    default: 'info',
    group: 'Output:',
  }),
};

export const dryRunOption: OptionTable = {
  'dry-run': yes('plan and check, and write nothing'),
};
