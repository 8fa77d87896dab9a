import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A path inside the project, wherever the running file was compiled to. */
export function projectPath(...parts: readonly string[]): string {
  let dir = import.meta.dirname;
  while (!existsSync(join(dir, 'package.json'))) dir = dirname(dir);
  return join(dir, ...parts);
}
