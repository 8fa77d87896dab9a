import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { prepare } from './lib/prepare.js';
import { isInstalled, run } from './lib/run.js';

/** What some tests need; without it they are left out, or fail when $BUNDLE_REQUIRE_SERVERS is set. */
const PROGRAMS = ['docker-registry', 'skopeo', 'zstd', 'tar', 'sha256sum', 'gpg', 'openssl', 'nginx'];

const missing = PROGRAMS.filter((program) => !isInstalled(program));
if (missing.length > 0 && process.env['BUNDLE_REQUIRE_SERVERS']) {
  process.stderr.write(`not installed, and BUNDLE_REQUIRE_SERVERS is set: ${missing.join(', ')}\n`);
  process.exit(1);
}

prepare(['build']);
const { passed, failed, skipped } = runTests(process.argv.slice(2));
const want = missing.length > 0 ? `; not installed here: ${missing.join(', ')}` : '';
if (skipped > 0 || missing.length > 0) process.stdout.write(`${skipped} left out${want}\n`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;

/** Counts a file that did not load as a failure, and so a run that ended badly with no failed test to show for it. */
function runTests(args) {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-test-'));
  try {
    const report = join(folder, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const status = run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...args]);
    const result = readReport(report);
    const unloaded = result.testResults.filter(({ status, assertionResults }) => status === 'failed' && !assertionResults.some(isFailed));
    const failed = result.numFailedTests + unloaded.length;
    return {
      passed: result.numPassedTests,
      failed: failed === 0 && status !== 0 ? 1 : failed,
      skipped: result.numPendingTests + result.numTodoTests,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isFailed({ status }) {
  return status === 'failed';
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  }
}
