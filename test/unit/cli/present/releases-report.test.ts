import { expect, it } from 'vitest';

import { laidOut } from '../../../../src/cli/present/layout.ts';
import { inWords, releasesReport } from '../../../../src/cli/present/releases-report.ts';
import { screenOf } from '../../../../src/cli/present/screen.ts';

it.each([
  ['4[.]11[.].*', 'any 4.11'],
  ['^4\\.11\\..*$', 'any 4.11'],
  ['4[.](10[.].*|11[.]0)', 'any 4.10 or 4.11.0'],
  ['4[.]1[1-3][.].*', 'versions that match 4[.]1[1-3][.].*'],
])('the pattern %s is written as %s', (pattern, words) => {
  expect(inWords(pattern)).toBe(words);
});

it.each([60, 80])('releases fit into %i columns, and no word is broken', (columns) => {
  const channels = ['candidate', 'eus', 'fast', 'stable'].map((name) => `${name}-4.12`);
  const risk = { name: 'SomeRatherLongNameOfARisk', message: 'm', url: 'u', evaluable: true };
  const releases = ['4.12.1', '4.12.2'].map((version) => ({
    ...{ version, payload: undefined, channels, blockedFrom: ['4[.]11[.].*'] },
    created: new Date('2024-01-02T03:04:05Z'),
    url: 'https://access.redhat.com/errata/RHBA-2024:1234',
    risks: [{ ...risk, fromPattern: '.*' }],
  }));
  const { report } = releasesReport({ channel: undefined, architecture: 'x86_64', releases });
  const wishes = { color: 'never', isVerbose: false } as const;
  const screen = { ...screenOf({ isTTY: false } as never, { env: {} }, wishes), columns };
  const text = laidOut(report(screen), screen);
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
  for (const word of [...channels, risk.name]) expect(text.split(/\s+/)).toContain(word);
  expect(text.replace(/\s+/g, ' ')).toContain('no update from any 4.11');
});
