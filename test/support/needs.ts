import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, it } from 'vitest';

import packages from './programs.json' with { type: 'json' };

/**
 * Programs that a machine may lack; `programs.json` says in which package of Debian each one is.
 */
export type Program = keyof typeof packages;

export const PROGRAMS = Object.keys(packages) as Program[];

/**
 * `describe` for tests that start these programs: the one way to say so, and `needs.test.ts` checks
 * that it is taken. Where one of them is not installed, the suite is skipped and its name says
 * which; `npm test` sums that up. With `$BUNDLE_REQUIRE_PROGRAMS` the suite fails instead.
 */
export function describeWith(programs: readonly Program[], name: string, body: () => void): void {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) {
    describe(name, body);
  } else if (process.env['BUNDLE_REQUIRE_PROGRAMS']) {
    describe(name, () => {
      it('has the programs it needs', () => {
        const wanted = [...new Set(missing.map((program) => packages[program]))].join(' ');
        throw new Error(
          `not installed: ${missing.join(', ')} (apt-get install ${wanted}, or unset BUNDLE_REQUIRE_PROGRAMS)`,
        );
      });
    });
  } else {
    describeWhere(false, missing.join(', '), name, body);
  }
}

/**
 * `describe` for tests that need something else of the machine, told apart by themselves: skipped
 * where it is not `met`.
 */
export function describeWhere(met: boolean, need: string, name: string, body: () => void): void {
  if (met) describe(name, body);
  else describe.skip(`${name} (needs ${need})`, body);
}

function isInstalled(program: Program): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
