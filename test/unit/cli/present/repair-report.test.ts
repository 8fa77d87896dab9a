import { expect, it } from 'vitest';

import { repairReport } from '../../../../src/cli/present/repair-report.ts';
import type { Screen } from '../../../../src/cli/present/screen.ts';
import { closureOf } from '../../../../src/kinds/closure.ts';
import type { RepairReport } from '../../../../src/workflows/repair.ts';

/** What is said of a repair that has made so many files of a bundle of so many. */
function told(was: number, now: number, wasDamaged = true): string {
  const digest = `sha256:${'0'.repeat(64)}`;
  const volumes = Array.from({ length: now }, (_, at) => ({
    path: `m/a.00${at}`,
    size: 1,
    digest,
  }));
  const report = {
    path: 'm/a',
    volumes,
    size: 1,
    bundleDigest: digest,
    faults: [],
    was,
    wasDamaged,
  };
  const whole = { ...report, closure: closureOf([]) } as unknown as RepairReport;
  return JSON.stringify(repairReport(whole, []).report({ isVerbose: false } as Screen));
}

it.each([
  [1, 1, undefined],
  [3, 3, undefined],
  [
    3,
    1,
    'one file; the bundle that was given had 3 volumes (--volume-size SIZE makes volumes again)',
  ],
  [1, 3, '3 volumes; the bundle that was given had one file'],
  [2, 3, '3 volumes; the bundle that was given had 2 volumes'],
])('a repair that makes of %d files %d says so: %s', (was, now, words) => {
  const text = told(was, now);
  if (words === undefined) expect(text).not.toContain('that was given had');
  else expect(text).toContain(`["written as","${words}"]`);
});

it('says of the digest what has stayed the same', () => {
  const original = 'as before the damage: this file is the original, byte for byte';
  expect(told(1, 1)).toContain(original);
  expect(told(3, 1)).toContain('as before the damage: the content is that of the original');
  expect(told(1, 1, false)).not.toContain('damage:');
});

it('a repair of a bundle that lacks images says which', () => {
  const hole = { name: 'quay.io/team/gone:1', reason: 'not-found' };
  const part = { kind: 'x', label: 'a set', holes: [hole], images: [] };
  const closure = { ...closureOf([]), parts: [part] };
  const digest = `sha256:${'0'.repeat(64)}`;
  const volumes = [{ path: 'm/a', size: 1, digest }];
  const report = { path: 'm/a', volumes, size: 1, bundleDigest: digest, faults: 0, was: 1 };
  const { report: shown } = repairReport({ ...report, closure } as unknown as RepairReport, []);
  expect(JSON.stringify(shown({ isVerbose: false } as Screen))).toContain('quay.io/team/gone:1');
});
