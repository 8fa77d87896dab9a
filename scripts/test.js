import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { prepare } from './lib/prepare.js';
import { run } from './lib/run.js';

/** How a suite that is skipped says what it needs (test/support/needs.ts). */
const NEEDS = / \(needs (.+)\)$/;

prepare(['build']);
const { passed, failed, leftOut } = runTests(process.argv.slice(2));
if (leftOut.tests > 0) process.stdout.write(`${told(leftOut)}\n`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;

function told({ suites, tests, needs }) {
  const what = `left out: ${suites} suites, ${tests} tests in all`;
  return needs.length > 0 ? `${what}; not here: ${needs.join(', ')}` : what;
}

/**
 * Counts a file that did not load as a failure, and so a run that ended badly with no failed test
 * to show for it.
 */
function runTests(args) {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-test-'));
  try {
    const report = join(folder, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const status = run(process.execPath, [
      'node_modules/vitest/vitest.mjs',
      'run',
      ...reporters,
      ...args,
    ]);
    const result = readReport(report);
    const unloaded = result.testResults.filter(
      ({ status, assertionResults }) => status === 'failed' && !assertionResults.some(isFailed),
    );
    const failed = result.numFailedTests + unloaded.length;
    return {
      passed: result.numPassedTests,
      failed: failed === 0 && status !== 0 ? 1 : failed,
      leftOut: whatWasLeftOut(result),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The suites that say what they need, counted once with all that is in them, and all tests that
 * were not run.
 */
function whatWasLeftOut({ testResults, numPendingTests, numTodoTests }) {
  const suites = new Set();
  const needs = new Set();
  for (const { name: file, assertionResults } of testResults) {
    for (const { ancestorTitles } of assertionResults.filter(isLeftOut)) {
      const outermost = ancestorTitles.findIndex((title) => NEEDS.test(title));
      if (outermost >= 0)
        suites.add(JSON.stringify([file, ...ancestorTitles.slice(0, outermost + 1)]));
      for (const title of ancestorTitles)
        for (const need of NEEDS.exec(title)?.[1].split(', ') ?? []) needs.add(need);
    }
  }
  return { suites: suites.size, tests: numPendingTests + numTodoTests, needs: [...needs].sort() };
}

function isLeftOut({ status }) {
  return status !== 'passed' && status !== 'failed';
}

function isFailed({ status }) {
  return status === 'failed';
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {
      numPassedTests: 0,
      numFailedTests: 1,
      numPendingTests: 0,
      numTodoTests: 0,
      testResults: [],
    };
  }
}
