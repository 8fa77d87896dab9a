import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';

/** The folder of the project. */
export const root = dirname(dirname(import.meta.dirname));

/**
 * Runs a program in the project's folder, with this terminal.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {Record<string, string>} [environment] added to that of this process
 * @returns {number} its exit status; as in a shell where a signal ended it
 */
export function run(program, args, environment = {}) {
  const { error, status, signal } = spawnSync(program, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  if (error) throw error;
  return status ?? 128 + (osConstants.signals[signal] ?? 0);
}

/**
 * Whether a program is installed.
 * @param {string} program
 */
export function isInstalled(program) {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
