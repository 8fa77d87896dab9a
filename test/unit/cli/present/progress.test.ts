import { PassThrough } from 'node:stream';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createProgress } from '../../../../src/cli/present/progress.ts';

/** More than any run of these tests draws, and less than a loop without end does. */
const ENDLESS = 10_000;

/** A terminal that says it has so many columns. */
function terminalOf(columns: number): NodeJS.WriteStream & { moved: number } {
  const terminal = Object.assign(new PassThrough().resume(), {
    ...{ columns, rows: 0, isTTY: true, moved: 0 },
    cursorTo: () => true,
    clearLine: () => true,
    moveCursor: () => {
      terminal.moved += 1;
      if (terminal.moved > ENDLESS) throw new Error('clears lines without end');
      return true;
    },
  });
  return terminal as unknown as NodeJS.WriteStream & { moved: number };
}

describe('progress on a terminal', () => {
  beforeEach(() => {
    vi.stubEnv('CI', undefined);
    vi.stubEnv('TERM', 'xterm');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 0.5, 80])(
    'ends whatever columns it has: %s',
    async (columns) => {
      const terminal = terminalOf(columns);
      const progress = await createProgress('auto', 'info', terminal);
      progress.observe({ type: 'phase', what: 'opening' });
      progress.observe({ type: 'phase', what: 'hashing '.repeat(20) }); // two lines of 80
      progress.observe({ type: 'noticed', code: 'left-out', cause: 'something' });
      progress.stop();
      expect(terminal.columns).toBe(80);
      expect(terminal.moved).toBeGreaterThan(0);
    },
  );

  it('follows a terminal that is given another size, but to none', async () => {
    const terminal = terminalOf(0);
    const progress = await createProgress('auto', 'info', terminal);
    const seen = [120, 0, 40].map((columns) => {
      terminal.columns = columns;
      return terminal.columns;
    });
    progress.stop();
    expect(seen).toEqual([120, 80, 40]);
  });
});
