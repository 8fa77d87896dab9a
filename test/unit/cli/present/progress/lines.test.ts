import { describe, expect, it } from 'vitest';

import { fitted, linesAbout } from '../../../../../src/cli/present/progress/lines.ts';

describe('the line about a retry', () => {
  it.each([
    [0, 'at once'],
    [49, 'at once'],
    [314, 'in 0.3 s'],
    [949, 'in 0.9 s'],
    [960, 'in 1 s'],
    [65_000, 'in 1 min 5 s'],
  ])('says of %i ms: %s', (delayMs, words) => {
    const event = { type: 'retried', what: 'GET x', cause: 'reset', attempt: 1, delayMs } as const;
    expect(JSON.stringify(linesAbout(event, () => true, { isLive: false }))).toContain(
      `retry 1 ${words}: GET x: reset`,
    );
  });
});

it('lines to be copied are broken by no terminal, and none is joined with the one before it', () => {
  const lines = ['They are read all the same.', '  mv -n one-long-name.001 another-name.001'];
  expect(fitted(lines, 20)).toBe(
    ['They are read all', 'the same.', '  mv -n one-long-name.001 another-name.001'].join('\n'),
  );
});
