import { join } from 'node:path';

import { baseFolder, type Environment } from '../core/context.ts';

/** Where a user's own history is, after the XDG base directory specification. */
export function ownHistoryFolder(environment: Environment): string {
  return join(baseFolder(environment, 'XDG_DATA_HOME'), 'bundle');
}
