import { one, type OptionTable, yes } from './table.ts';

/** Every command takes these. */
export const commonOptions: OptionTable = {
  output: one('format of the result on stdout', {
    choices: ['text', 'json'],
    default: 'text',
    group: 'Output:',
  }),
  verbose: yes('the result with every fact, and every digest whole', { group: 'Output:' }),
  color: one('colours on a terminal; auto follows NO_COLOR, FORCE_COLOR and TERM=dumb', {
    choices: ['auto', 'always', 'never'],
    default: 'auto',
    group: 'Output:',
  }),
  progress: one('how progress is shown on stderr', {
    choices: ['auto', 'plain', 'json', 'none'],
    default: 'auto',
    group: 'Output:',
  }),
  'log-level': one('how much is reported on stderr', {
    choices: ['error', 'warn', 'info', 'debug'],
    default: 'info',
    group: 'Output:',
  }),
};

export const dryRunOption: OptionTable = {
  'dry-run': yes('plan and check, and write nothing'),
};
