import { spawnSync } from 'node:child_process';
import { describe } from 'vitest';

/** Whether all programs are installed. @throws Error where one is not, and `$BUNDLE_REQUIRE_SERVERS` asks for them. */
function havePrograms(programs: readonly string[]): boolean {
  const missing = programs.filter((program) => spawnSync(program, ['--version']).error !== undefined);
  if (missing.length > 0 && process.env['BUNDLE_REQUIRE_SERVERS']) throw new Error(`not installed: ${missing.join(', ')}`);
  return missing.length === 0;
}

/** `describe` for tests that run other programs; they are skipped where one of them is not installed. */
export function describeWithPrograms(programs: readonly string[], name: string, body: () => void): void {
  describe.skipIf(!havePrograms(programs))(name, body);
}
