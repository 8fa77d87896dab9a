import type { Context } from '../../../core/context.ts';
import { BundleError } from '../../../core/errors.ts';
import { ownHistoryFolder } from '../../../history/folder.ts';
import type { HistoryRequest } from '../../../workflows/history/look.ts';
import { flag, text, texts } from '../../arguments.ts';
import type { Arguments } from '../../command.ts';
import { one, type OptionTable, yes } from '../table.ts';

const group = 'History:';

/** Where the history is. */
export const historyOption: OptionTable = {
  history: one('folder of the history (default ~/.local/share/bundle)', { group }),
};

/** Of commands that add to the history beside their work. */
export const historyOptions: OptionTable = {
  ...historyOption,
  'no-history': yes('keep nothing in the history', { group }),
};

/** The folder of the history. */
export function namedHistory(args: Arguments, { environment }: Context): string {
  return text(args, 'history') ?? ownHistoryFolder(environment);
}

/** What commands ask that only look. */
export async function historyRequest(args: Arguments, context: Context): Promise<HistoryRequest> {
  const { KINDS } = await import('../../../kinds/all.ts');
  return {
    history: namedHistory(args, context),
    isNamed: text(args, 'history') !== undefined,
    trustedKeyFiles: texts(args, 'trusted-key'),
    kinds: KINDS,
  };
}

/** The same; `undefined` where nothing is to be kept. */
export function historyFolder(args: Arguments, context: Context): string | undefined {
  if (!flag(args, 'no-history')) return namedHistory(args, context);
  if (text(args, 'history') === undefined) return undefined;
  throw new BundleError('USAGE', '--history and --no-history contradict each other', {
    hint: 'Give one of them.',
  });
}
