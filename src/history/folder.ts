import { isAbsolute, join } from 'node:path';

import type { Environment } from '../core/context.ts';

/** Where a user's own history is, after the XDG base directory specification. */
export function ownHistoryFolder({ env, home }: Environment): string {
  const { XDG_DATA_HOME: named } = env;
  const data = named !== undefined && isAbsolute(named) ? named : join(home, '.local/share');
  return join(data, 'bundle');
}
