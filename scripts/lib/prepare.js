import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';

import { root, run } from './run.js';

/** npm writes it last, when everything is installed. */
const INSTALLED = join(root, 'node_modules/.package-lock.json');

/**
 * Makes a fresh clone usable: installs what package-lock.json says where that has not been done
 * since it last changed, and compiles. Uses nothing but Node and npm.
 * @param {readonly string[]} builds names of scripts in package.json
 */
export function prepare(builds) {
  if (changed(INSTALLED) < changed(join(root, 'package-lock.json')))
    must('npm', ['ci', '--no-audit', '--no-fund']);
  for (const build of builds) must('npm', ['run', '--silent', build]);
}

function must(program, args) {
  const status = run(program, args, localHeaders());
  if (status === 0) return;
  process.stderr.write(`${program} ${args.join(' ')} failed (${status})\n`);
  process.exit(status);
}

/**
 * zstd-napi compiles itself against the headers of Node. Where Node came with them, there is
 * nothing to download.
 */
function localHeaders() {
  const prefix = dirname(dirname(process.execPath));
  const given = process.env['npm_config_nodedir'] !== undefined;
  return given || !existsSync(join(prefix, 'include/node/node_api.h'))
    ? {}
    : { npm_package_config_node_gyp_nodedir: prefix };
}

function changed(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
