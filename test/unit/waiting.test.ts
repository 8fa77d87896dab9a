import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import config from '../../vitest.config.ts';

const TESTS = join(import.meta.dirname, '..');
/** That of the suite, in vitest.config.ts. */
const LIMIT_MS = 300_000;

/** Lines that look like what is forbidden here, and why each is none of it. */
const ALLOWED: readonly {
  readonly file: string;
  readonly text: string;
  readonly reason: string;
}[] = [
  {
    file: 'support/terminal.ts',
    text: 'timeout: 240_000',
    reason: 'Ends a program that hangs on its terminal, so that the test can show what it wrote.',
  },
  {
    file: 'support/kube-api.ts',
    text: 'setTimeout(resolve, ',
    reason: 'Asks again until a server that was started answers.',
  },
  {
    file: 'e2e/interrupt.test.ts',
    text: 'await sleep(5)',
    reason: 'Looks again until the condition holds.',
  },
];

const OWN_LIMIT = /(?:timeout: *|^\s*\}, *)([0-9_]+)(?= *[,)}]|$)/;
const ELAPSED =
  /expect\([^)]*(?:elapsed|duration|took|(?:Date|performance)\.now\(\))[^)]*\).*Less/i;
/** It ends after a second. A poll (`expect.poll`) has the limit of the suite. */
const SHORT_WAIT = /\bvi\.wait(?:For|Until)\(/;
const UNTIL = /(?:Date|performance)\.now\(\) *[<>]|[<>]=? *(?:Date|performance)\.now\(\)/;
const SLEEP = /await (?:sleep|delay|setTimeout)\(|setTimeout\(resolve\b/;

function faultOf(line: string): string | undefined {
  const [, limit] = OWN_LIMIT.exec(line) ?? [];
  const isShort = limit !== undefined && Number(limit.replaceAll('_', '')) < LIMIT_MS;
  if (isShort || SHORT_WAIT.test(line)) return 'waits shorter than the suite';
  if (ELAPSED.test(line) || UNTIL.test(line)) return 'measures the machine';
  return SLEEP.test(line) ? 'sleeps' : undefined;
}

describe('the tests', () => {
  it('wait for conditions as long as the suite does, and measure no machine', async () => {
    const found = await readdir(TESTS, { recursive: true, withFileTypes: true });
    const used = new Set<string>();
    const faults: string[] = [];
    for (const entry of found) {
      const path = join(entry.parentPath, entry.name);
      const file = path.slice(TESTS.length + 1);
      if (!entry.isFile() || !file.endsWith('.ts') || path === import.meta.filename) continue;
      for (const [index, line] of (await readFile(path, 'utf8')).split('\n').entries()) {
        const fault = faultOf(line);
        if (fault === undefined) continue;
        const allowed = ALLOWED.find((each) => each.file === file && line.includes(each.text));
        if (allowed === undefined) faults.push(`${file}:${index + 1} ${fault}: ${line.trim()}`);
        else used.add(allowed.file);
      }
    }
    expect(faults).toEqual([]);
    expect(ALLOWED.filter(({ file }) => !used.has(file))).toEqual([]);
  });

  it('all have that limit, and so has what they poll', () => {
    const { testTimeout, hookTimeout, expect: { poll } = {} } = config.test!;
    expect([testTimeout, hookTimeout, poll?.timeout]).toEqual([LIMIT_MS, LIMIT_MS, LIMIT_MS]);
  });

  it.each([
    ['  }, 20_000);', 'waits shorter than the suite'],
    ['  .poll(look, { timeout: 500 })', 'waits shorter than the suite'],
    ['await vi.waitFor(() => {', 'waits shorter than the suite'],
    ['while (Date.now() < until) await look();', 'measures the machine'],
    ['expect(performance.now() - begun).toBeLessThan(100);', 'measures the machine'],
    ['await sleep(200);', 'sleeps'],
    ['  }, 600_000);', undefined],
    ['await expect.poll(look).toBe(true);', undefined],
  ])('are found out: %s', (line, fault) => {
    expect(faultOf(line)).toBe(fault);
  });
});
